/** `rind check`: what is wrong in manifests, before anybody serves them. */
import { describeFinding } from "../watch/translate/describe.ts";
import { readAdoption } from "./adoption.ts";
import { misused, readOnce } from "./reading.ts";
import type { Given } from "./flags.ts";

/** Prints the findings of one folder, file or stdin. Resolves to 1 when one of them is an error. */
export async function check(given: Given): Promise<number> {
  const path = given.operands[0];
  if (path === undefined) {
    console.error("rind check: what? Give a folder, a file, or - for stdin");
    return 2;
  }
  const adoption = readAdoption(given);
  if (!adoption.ok) return misused("check", adoption.reason);
  const { findings, passed } = await readOnce(path, adoption.value);
  for (const finding of findings) console.log(describeFinding(finding));
  const errors = findings.filter((finding) => finding.level === "error").length;
  console.log(`${count(errors, "error")}, ${count(findings.length - errors, "warning")}`);
  if (passed !== "") console.log(passed);
  return errors > 0 ? 1 : 0;
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}
