/** Low ports, for who is permitted them and for who is not, in processes of their own. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { useLowPorts } from "../capability.ts";
import { openLibc } from "../libc.ts";

const NET_BIND_SERVICE = 1 << 10;
const MODULES = join(import.meta.dir, "..");
/** Nobody else's loopback address. */
const HOST = `127.${[14, 7, 0].map((bits) => 1 + ((process.pid >> bits) & 127)).join(".")}`;

/** Keeps what is permitted as $KEEP says and nothing in effect, then tries before and after. */
const PROGRAM = `
import { useLowPorts } from "${MODULES}/capability.ts";
import { openLibc } from "${MODULES}/libc.ts";
const { libc } = openLibc();
const keep = process.env.KEEP === "1" ? ${NET_BIND_SERVICE} : 0;
libc.capset(new Uint32Array([0x20080522, 0]), new Uint32Array([0, keep, 0, 0, 0, 0]));
const bind = () => {
  try {
    Bun.listen({ hostname: "${HOST}", port: 80, socket: { data() {} } }).stop();
    return "bound";
  } catch (error) {
    return error.code;
  }
};
console.log(bind(), useLowPorts(libc), bind());
process.exit(0);
`;

const permitted = openLibc().ok && (permittedHere() & BigInt(NET_BIND_SERVICE)) !== 0n;
if (!permitted) console.log("skip: low ports are not permitted here, so they cannot be given up");
const ifPermitted = permitted ? test : test.skip;

function permittedHere(): bigint {
  const status = readFileSync("/proc/self/status", "utf8");
  return BigInt(`0x${/^CapPrm:\s+(\w+)$/m.exec(status)?.[1] ?? "0"}`);
}

for (const [keep, says] of [
  ["1", "EACCES true bound"],
  ["0", "EACCES false EACCES"],
] as const) {
  ifPermitted(`a capability that is ${keep === "1" ? "" : "not "}permitted`, () => {
    const env = { ...process.env, KEEP: keep };
    const run = Bun.spawnSync([process.execPath, "-e", PROGRAM], { env });
    assert.is(run.stdout.toString().trim(), says, run.stderr.toString());
  });
}

test("it says whether it is permitted", () => {
  const opened = openLibc();
  if (opened.ok) assert.is(useLowPorts(opened.libc), permitted);
});

test.run();
