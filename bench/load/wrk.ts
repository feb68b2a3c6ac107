/** The generator: wrk, one thread, closed loop, 64 connections; its latency is not a result. */
import { ORIGIN_HOST } from "./products.ts";
import { bodyByte, type Row } from "./rows.ts";

const CONNECTIONS = 64;
const MARK = "rind-bench";

/** Exact counts of one run; `errors` sums connect, read, write, status and timeout. */
export type Counts = Readonly<{ requests: number; bytes: number; errors: number }>;

/** The wrk command of a row, pinned by the caller. `script` is a file that holds `scriptOf`. */
export function wrkCommand(port: number, row: Row, seconds: number, script: string): string[] {
  const url = `http://127.0.0.1:${port}${row.path}`;
  return ["wrk", "-t1", `-c${CONNECTIONS}`, `-d${seconds}s`, "-s", script, url];
}

/** A Lua script without per-request functions, so that wrk sends one constant request. */
export function scriptOf(row: Row): string {
  const lines = [`wrk.method = "${row.method}"`, `wrk.headers["Host"] = "${ORIGIN_HOST}"`];
  for (const [name, value] of Object.entries(row.headers)) {
    lines.push(`wrk.headers[${JSON.stringify(name)}] = ${JSON.stringify(value)}`);
  }
  if (row.requestBytes > 0) lines.push(`wrk.body = string.rep("x", ${row.requestBytes})`);
  lines.push(
    "done = function(s)",
    "  local e = s.errors",
    `  io.write(string.format("${MARK} %d %d %d\\n", s.requests, s.bytes,`,
    "    e.connect + e.read + e.write + e.status + e.timeout))",
    "end",
  );
  return lines.join("\n") + "\n";
}

/** Reads what the script printed; `null` when wrk did not get that far. */
export function parseCounts(output: string): Counts | null {
  const found = new RegExp(`^${MARK} (\\d+) (\\d+) (\\d+)$`, "m").exec(output);
  if (found === null) return null;
  return { requests: Number(found[1]), bytes: Number(found[2]), errors: Number(found[3]) };
}

/** Why a run does not count, or `null`: a single error or a short body voids it. */
export function faultOf(counts: Counts, row: Row): string | null {
  if (counts.requests === 0) return "no request was answered";
  if (counts.errors > 0) return `${counts.errors} failed requests`;
  if (counts.bytes < counts.requests * row.responseBytes) return "bodies were short";
  return null;
}

/** Asks for a row once and compares every byte. Returns what is wrong, or `null`. */
export async function verify(port: number, row: Row): Promise<string | null> {
  const init: RequestInit = {
    method: row.method,
    headers: { ...row.headers, Host: ORIGIN_HOST },
    redirect: "manual",
    signal: AbortSignal.timeout(5_000),
  };
  if (row.requestBytes > 0) init.body = "x".repeat(row.requestBytes);
  try {
    const response = await fetch(`http://127.0.0.1:${port}${row.path}`, init);
    const body = new Uint8Array(await response.arrayBuffer());
    if (response.status !== 200) return `status ${response.status}`;
    if (body.length !== row.responseBytes) return `${body.length} bytes of ${row.responseBytes}`;
    const wrong = body.findIndex((byte, i) => byte !== bodyByte(i));
    return wrong < 0 ? null : `byte ${wrong} is wrong`;
  } catch (error) {
    return String(error);
  }
}
