/** Answers rind gives by itself: faults, redirects and fixed responses. */
import { ascii } from "../bytes.ts";
import type { Slab } from "../slab.ts";
import { dateLine } from "./date.ts";
import { statusLine } from "./status.ts";

/** A header line that nobody can read as more than one; code points, not what is left of them. */
const LINE = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+: [\t\x20-\x7e\x80-\xff]*$/;

/** `close` ends the connection. `length` of the body, bytes. `extra` is whole header lines. */
export type Answer = Readonly<{ status: number; length: number; extra: string; close: boolean }>;

/** Lays the head of a response down in the slab; its body is the caller's to send. */
export function writeAnswer(slab: Slab, answer: Answer): void {
  slab.add(statusLine(answer.status));
  const length = answer.status === 204 ? "" : `Content-Length: ${answer.length}\r\n`;
  const type = answer.length > 0 ? "Content-Type: text/plain; charset=utf-8\r\n" : "";
  const connection = answer.close ? "Connection: close\r\n" : "";
  slab.add(dateLine());
  slab.add(ascii(`${type}${length}${safe(answer.extra)}${connection}\r\n`));
}

/**
 * Whole lines without those that would split the response, whoever wrote them: a redirect to a name
 * with `č` (U+010D) would end its line, since bytes keep the low half of a code point only.
 */
function safe(lines: string): string {
  if (lines === "") return "";
  const whole = lines.split("\r\n").filter((line) => LINE.test(line));
  return whole.map((line) => `${line}\r\n`).join("");
}
