/** The fields that `Connection` names: they belong to one hop (RFC 9110 §7.6.1). */
import { ascii, equalsFolded } from "../bytes.ts";
import {
  FIELD,
  HAS_DATE,
  KNOWN,
  MANY_OPTIONS,
  NAME_END,
  NAME_START,
  NOMINATED,
  VALUE_END,
  VALUE_START,
} from "../head.ts";
import type { Head } from "../head.ts";
import { readTokens } from "./lists.ts";
import { H_CONNECTION, H_DATE, H_DROPPED, foldedName, isManaged } from "./names.ts";

const NOMINATIONS_MAX = 64;

const NO_NAMES: ReadonlySet<string> = new Set();

/** Marks the lines that `Connection` names, so that no writer copies them (RFC 9110 §7.6.1). */
export function dropNominated(head: Head): void {
  let options = 0;
  for (let line = 0; line < head.count * FIELD; line += FIELD) {
    if (head.fields[line + KNOWN] !== H_CONNECTION) continue;
    const from = head.fields[line + VALUE_START]!;
    readTokens(head, from, head.fields[line + VALUE_END]!, (seen, start, end) => {
      if (++options <= NOMINATIONS_MAX) dropNamed(seen, start, end);
      else seen.flags |= MANY_OPTIONS;
    });
  }
}

function dropNamed(head: Head, from: number, to: number): void {
  const name = head.bytes.subarray(from, to).toString("latin1").toLowerCase();
  const wanted = ascii(name);
  for (let line = 0; line < head.count * FIELD; line += FIELD) {
    const known = head.fields[line + KNOWN]!;
    // The lines that nominate are still being read, and no writer copies them. What a client sent
    // under our names is not copied either; a trusted proxy is believed, whatever it passed on.
    if (known === H_CONNECTION || (isManaged(known) && head.status === 0)) continue;
    const start = head.fields[line + NAME_START]!;
    if (equalsFolded(head.bytes, start, head.fields[line + NAME_END]!, wanted)) {
      head.fields[line + KNOWN] = H_DROPPED;
      if (known === H_DATE) head.flags &= ~HAS_DATE;
    }
  }
}

/** Marks all lines with that id, one of core/http1/names.ts, so that no writer copies them. */
export function dropLines(head: Head, known: number): void {
  for (let line = 0; line < head.count * FIELD; line += FIELD) {
    if (head.fields[line + KNOWN] === known) head.fields[line + KNOWN] = H_DROPPED;
  }
}

/** The names that `Connection` nominates, folded, for the trailers that come behind the body. */
export function nominated(head: Head): ReadonlySet<string> {
  if ((head.flags & NOMINATED) === 0) return NO_NAMES;
  const names = new Set<string>();
  for (let line = 0; line < head.count * FIELD; line += FIELD) {
    if (head.fields[line + KNOWN] !== H_CONNECTION) continue;
    const from = head.fields[line + VALUE_START]!;
    readTokens(head, from, head.fields[line + VALUE_END]!, (seen, start, end) => {
      names.add(foldedName(seen.bytes, start, end));
    });
  }
  return names;
}
