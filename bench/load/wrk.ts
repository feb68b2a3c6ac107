/** The generator: wrk, one thread, closed loop, 64 connections; its latency is not a result. */
import { bodyByte, type RequestRow, type Row } from "./rows.ts";

const CONNECTIONS = 64;
/** Latency is not measured here; only an answer that would never come is a fault. */
const LATE_SECONDS = 10;
const MARK = "rind-bench";

/** Exact counts of one run: connects refused, connections broken, answers late, statuses bad. */
export type Counts = Readonly<{
  requests: number;
  bytes: number;
  refused: number;
  broken: number;
  late: number;
  bad: number;
}>;

/** The wrk command of a row, pinned by the caller. `script` is a file that holds `scriptOf`. */
export function wrkCommand(
  port: number,
  row: RequestRow,
  seconds: number,
  script: string,
): string[] {
  // Its host is what a client asks for by SNI; the script leads wherever it goes to loopback.
  const url = `${row.secure ? "https" : "http"}://${row.host}:${port}${row.path}`;
  const load = ["-t1", `-c${CONNECTIONS}`, `-d${seconds}s`, `--timeout=${LATE_SECONDS}s`];
  return ["wrk", ...load, "-s", script, url];
}

/** A Lua script without per-request functions, so that wrk sends one constant request. */
export function scriptOf(row: RequestRow): string {
  const lines = [
    "wrk.resolve = function(_, service)",
    '  wrk.addrs = wrk.lookup("127.0.0.1", service)',
    "end",
    `wrk.method = "${row.method}"`,
    `wrk.headers["Host"] = "${row.host}"`,
  ];
  for (const [name, value] of Object.entries(row.headers)) {
    lines.push(`wrk.headers[${JSON.stringify(name)}] = ${JSON.stringify(value)}`);
  }
  if (row.requestBytes > 0) lines.push(`wrk.body = string.rep("x", ${row.requestBytes})`);
  lines.push(
    "done = function(s)",
    "  local e = s.errors",
    `  io.write(string.format("${MARK} %d %d %d %d %d %d\\n", s.requests, s.bytes,`,
    "    e.connect, e.read + e.write, e.timeout, e.status))",
    "end",
  );
  return lines.join("\n") + "\n";
}

/** Reads what the script printed; `null` when wrk did not get that far. */
export function parseCounts(output: string): Counts | null {
  const found = new RegExp(`^${MARK}((?: \\d+){6})$`, "m").exec(output);
  if (found === null) return null;
  const [requests, bytes, refused, broken, late, bad] = found[1]!.trim().split(" ").map(Number);
  return {
    requests: requests!,
    bytes: bytes!,
    refused: refused!,
    broken: broken!,
    late: late!,
    bad: bad!,
  };
}

/** Why a run does not count, or `null`: a single failure or a short body voids it. */
export function faultOf(counts: Counts, row: Row): string | null {
  const { requests, refused, broken, late, bad } = counts;
  const handshakes = row.kind === "handshakes";
  if (requests === 0) return handshakes ? "no handshake was done" : "no request was answered";
  if (refused + broken + late + bad > 0) {
    const unlike = handshakes ? "not as asked" : "with a bad status";
    return `${refused} refused, ${broken} broken, ${late} late, ${bad} ${unlike}`;
  }
  if (handshakes) return null;
  return counts.bytes < requests * row.responseBytes ? "bodies were short" : null;
}

/** Asks for a row once and compares every byte. Returns what is wrong, or `null`. */
export async function verify(port: number, row: RequestRow, ca: string): Promise<string | null> {
  const init: BunFetchRequestInit = {
    method: row.method,
    headers: { ...row.headers, Host: row.host },
    redirect: "manual",
    signal: AbortSignal.timeout(5_000),
    ...(row.secure ? { tls: { ca, serverName: row.host } } : {}),
  };
  if (row.requestBytes > 0) init.body = "x".repeat(row.requestBytes);
  try {
    const response = await fetch(
      `${row.secure ? "https" : "http"}://127.0.0.1:${port}${row.path}`,
      init,
    );
    const body = new Uint8Array(await response.arrayBuffer());
    if (response.status !== 200) return `status ${response.status}`;
    if (body.length !== row.responseBytes) return `${body.length} bytes of ${row.responseBytes}`;
    const wrong = body.findIndex((byte, i) => byte !== bodyByte(i));
    return wrong < 0 ? null : `byte ${wrong} is wrong`;
  } catch (error) {
    return String(error);
  }
}
