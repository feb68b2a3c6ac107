/**
 * The header section, one pass: every line is validated while it is scanned, and recorded as
 * offsets (RFC 9112 §5, RFC 9110 §5). A line is judged when its LF is here or when it cannot fit
 * its limit any more, so that the outcome never depends on how the bytes were cut into reads.
 */
import { BAD_HEADER, HEAD_TOO_LARGE, MORE, NAME_DROPPED, OK } from "../fault.ts";
import {
  BAD_ALIAS_LINE,
  FIELD,
  KNOWN,
  NAME_END,
  NAME_START,
  VALUE_END,
  VALUE_START,
} from "../head.ts";
import type { Head } from "../head.ts";
import { HEAD_BYTES_MAX, HEAD_LINES_MAX } from "../limits.ts";
import type { Limits } from "../limits.ts";
import { tally } from "../tally.ts";
import { CLASS, PLAIN, TCHAR, VALUE } from "./classes.ts";
import { H_DROPPED, H_ODD, aliasesFraming, knownName } from "./names.ts";

/** How much of a head is read before it is refused. Bytes, and lines. */
export type HeadLimits = Readonly<{ line: number; total: number; lines: number }>;

/** Of a field name; nobody has a reason to change it. */
const NAME_MAX = 256;

/** For request heads that were accepted before, under whatever limits. */
export const WIDEST_LIMITS: HeadLimits = {
  line: HEAD_BYTES_MAX,
  total: HEAD_BYTES_MAX,
  lines: HEAD_LINES_MAX,
};

export const RESPONSE_LIMITS: HeadLimits = { ...WIDEST_LIMITS, line: 65_536 };

/** For request heads, from the limits of a worker. */
export function headLimitsOf(limits: Limits): HeadLimits {
  const { headBytes: total, headLineBytes: line, headLines: lines } = limits;
  return { line, total, lines };
}

const CR = 13;
const LF = 10;
const SP = 32;
const HTAB = 9;
const COLON = 58;

// === hot ===

/**
 * Parses lines from `head.next` until the empty line; then OK, with `head.end` behind it. MORE when
 * bytes are missing, BAD_HEADER or HEAD_TOO_LARGE otherwise. `available` is the end of the bytes.
 */
export function parseFields(head: Head, available: number, limits: HeadLimits): number {
  const { bytes, fields } = head;
  const { line: lineMax, lines: linesMax } = limits;
  const endMax = head.start + limits.total;
  while (true) {
    const start = head.next;
    if (available - start >= 2 && bytes[start] === CR && bytes[start + 1] === LF) {
      head.end = start + 2;
      return head.end > endMax ? HEAD_TOO_LARGE : OK;
    }
    let at = start;
    let kinds = PLAIN;
    while (at < available) {
      const kind = CLASS[bytes[at]!]!;
      if ((kind & TCHAR) === 0) break;
      kinds &= kind;
      at++;
    }
    const nameEnd = at;
    if (at >= available || nameEnd === start || bytes[at] !== COLON) {
      return judge(head, available, limits, BAD_HEADER);
    }
    at++;
    while (at < available && (bytes[at] === SP || bytes[at] === HTAB)) at++;
    const valueStart = at;
    while (at < available && (CLASS[bytes[at]!]! & VALUE) !== 0) at++;
    if (at + 1 >= available || bytes[at] !== CR || bytes[at + 1] !== LF) {
      return judge(head, available, limits, BAD_HEADER);
    }
    const next = at + 2;
    if (next - start > lineMax || next > endMax) return HEAD_TOO_LARGE;
    if (nameEnd - start > NAME_MAX || head.count === linesMax) return HEAD_TOO_LARGE;
    while (at > valueStart && (bytes[at - 1] === SP || bytes[at - 1] === HTAB)) at--;
    const line = head.count * FIELD;
    fields[line + NAME_START] = start;
    fields[line + NAME_END] = nameEnd;
    fields[line + VALUE_START] = valueStart;
    fields[line + VALUE_END] = at;
    fields[line + KNOWN] =
      kinds !== 0 ? knownName(bytes, start, nameEnd) : oddName(head, start, nameEnd);
    head.count++;
    head.next = next;
  }
}

// === cold ===

/** A line that is unfinished or wrong: which of the two, and within its limits or not. */
export function judge(head: Head, available: number, limits: HeadLimits, fault: number): number {
  const limit = Math.min(head.next + limits.line, head.start + limits.total);
  const lf = head.bytes.indexOf(LF, head.next);
  if (lf >= 0 && lf < available) return lf + 1 > limit ? HEAD_TOO_LARGE : fault;
  return available > limit ? HEAD_TOO_LARGE : MORE;
}

/**
 * Names with `_`, `.` and the like, which some backends fold into other names. A request goes on
 * without them, which is counted; nobody else would know why a field is missing.
 */
function oddName(head: Head, from: number, to: number): number {
  if (aliasesFraming(head.bytes, from, to)) {
    head.flags |= BAD_ALIAS_LINE;
    return H_DROPPED;
  }
  if (head.status === 0) tally(NAME_DROPPED);
  return H_ODD;
}
