/** `rind routes`: the table as text, of manifests or of a running rind. */
import { describe } from "../watch/translate/describe.ts";
import { readAdoption } from "./adoption.ts";
import { misused, readOnce } from "./reading.ts";
import type { Given } from "./flags.ts";

/** How long a running rind may take to answer. */
const ANSWER_MS_MAX = 5_000;

/** Prints what would be served from a folder, or what is being served. 1 when it cannot be read. */
export async function routes(given: Given): Promise<number> {
  const path = given.operands[0];
  const admin = given.last("admin");
  // A folder that was named wins: the variable RIND_ADMIN may be set for another command.
  if (path !== undefined) {
    const adoption = readAdoption(given);
    if (!adoption.ok) return misused("routes", adoption.reason);
    const { model, findings, passed } = await readOnce(path, adoption.value);
    process.stdout.write(describe(model, findings));
    if (passed !== "") console.error(passed);
    // Wrong objects are told and passed over; what cannot be read at all is a failure.
    return findings.some(({ kind, level }) => kind === "File" && level === "error") ? 1 : 0;
  }
  if (admin !== undefined) return ask(admin);
  console.error("rind routes: of what? Give a folder, or --admin with the address of a rind");
  return 2;
}

async function ask(admin: string): Promise<number> {
  const base = admin.includes("://") ? admin : `http://${admin}`;
  try {
    const url = new URL("/api/routes", base);
    const response = await fetch(url, { signal: AbortSignal.timeout(ANSWER_MS_MAX) });
    process.stdout.write(await response.text());
    return response.ok ? 0 : 1;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    console.error(`rind routes: ${base} does not answer: ${reason}`);
    return 1;
  }
}
