/** Status lines, made once. Reason phrases are ours: a backend's are not reflected. */
import { STATUS_CODES } from "node:http";
import { ascii } from "../bytes.ts";

const LINES: (Buffer | null)[] = Array.from({ length: 1_000 }, () => null);

/** `HTTP/1.1 NNN Reason CRLF` for a status of three digits. */
export function statusLine(status: number): Buffer {
  return LINES[status] ?? makeLine(status);
}

function makeLine(status: number): Buffer {
  const line = ascii(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\n`);
  LINES[status] = line;
  return line;
}
