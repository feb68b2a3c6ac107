/**
 * Conditions on a request beyond its host and path. All of them are byte comparisons in the head as
 * it came: nothing is decoded, joined or copied.
 */
import { equalsFolded } from "../bytes.ts";
import { FIELD, type Head, NAME_END, NAME_START, VALUE_END, VALUE_START } from "../head.ts";
import type { Match, ValueMatch } from "../model.ts";

const TAB = 0x09;
const SPACE = 0x20;
const AMPERSAND = 0x26;
const SEMICOLON = 0x3b;
const EQUALS = 0x3d;

const COOKIE = Buffer.from("cookie");

/** `value: null`: presence is enough. */
type Condition = Readonly<{ name: Uint8Array; value: Uint8Array | null }>;

/** The conditions of one route as bytes; header names in lower case. */
export type Conditions = Readonly<{
  methods: readonly Uint8Array[];
  headers: readonly Condition[];
  cookies: readonly Condition[];
  queries: readonly Condition[];
}>;

/** Compiles the conditions of a match, `null` when there are none. */
export function compileConditions(match: Match): Conditions | null {
  const { methods, headers, cookies, queries } = match;
  if (methods.length + headers.length + cookies.length + queries.length === 0) return null;
  return {
    methods: methods.map((method) => Buffer.from(method)),
    headers: headers.map(({ name, value }) => compile({ name: name.toLowerCase(), value })),
    cookies: cookies.map(compile),
    queries: queries.map(compile),
  };
}

/**
 * Order of two matches on one path, the one to try first < 0: a method before none, then more
 * headers, more cookies, more queries (Gateway API's precedence, cookies added).
 */
export function compareMatches(one: Match, other: Match): number {
  return (
    Math.sign(other.methods.length) - Math.sign(one.methods.length) ||
    other.headers.length - one.headers.length ||
    other.cookies.length - one.cookies.length ||
    other.queries.length - one.queries.length
  );
}

function compile({ name, value }: ValueMatch): Condition {
  return { name: Buffer.from(name), value: value === null ? null : Buffer.from(value) };
}

// === hot ===

/**
 * Whether a request meets all conditions. A header, cookie or parameter that comes several times
 * meets its condition when any of its values does. Header values are compared without the white
 * space around them; a cookie pair needs its `=` and keeps its quotes; a parameter without `=` has
 * the empty value, and `%41` is not `A`.
 */
export function holds(conditions: Conditions, head: Head): boolean {
  const { methods, headers, cookies, queries } = conditions;
  if (methods.length > 0 && !holdsMethod(methods, head)) return false;
  for (let i = 0; i < headers.length; i++) if (!holdsHeader(headers[i]!, head)) return false;
  for (let i = 0; i < cookies.length; i++) if (!holdsCookie(cookies[i]!, head)) return false;
  for (let i = 0; i < queries.length; i++) if (!holdsQuery(queries[i]!, head)) return false;
  return true;
}

function holdsMethod(methods: readonly Uint8Array[], head: Head): boolean {
  for (let i = 0; i < methods.length; i++) {
    if (equals(head.bytes, head.methodStart, head.methodEnd, methods[i]!)) return true;
  }
  return false;
}

function holdsHeader(condition: Condition, head: Head): boolean {
  const { bytes, fields } = head;
  const { name, value } = condition;
  const last = head.count * FIELD;
  for (let at = 0; at < last; at += FIELD) {
    if (!equalsFolded(bytes, fields[at + NAME_START]!, fields[at + NAME_END]!, name)) continue;
    if (value === null) return true;
    const start = skipSpace(bytes, fields[at + VALUE_START]!, fields[at + VALUE_END]!);
    const end = trimSpace(bytes, start, fields[at + VALUE_END]!);
    if (equals(bytes, start, end, value)) return true;
  }
  return false;
}

function holdsCookie(condition: Condition, head: Head): boolean {
  const { bytes, fields } = head;
  const last = head.count * FIELD;
  for (let at = 0; at < last; at += FIELD) {
    if (!equalsFolded(bytes, fields[at + NAME_START]!, fields[at + NAME_END]!, COOKIE)) continue;
    if (holdsPair(condition, bytes, fields[at + VALUE_START]!, fields[at + VALUE_END]!))
      return true;
  }
  return false;
}

/** Whether one pair of a Cookie line (RFC 6265 §4.2.1) meets the condition. */
function holdsPair(condition: Condition, bytes: Buffer, from: number, to: number): boolean {
  const { name, value } = condition;
  for (let at = from; at < to;) {
    const next = seek(bytes, at, to, SEMICOLON);
    const equal = seek(bytes, at, next, EQUALS);
    const start = skipSpace(bytes, at, equal);
    if (equal < next && equals(bytes, start, trimSpace(bytes, start, equal), name)) {
      if (value === null) return true;
      const first = skipSpace(bytes, equal + 1, next);
      if (equals(bytes, first, trimSpace(bytes, first, next), value)) return true;
    }
    at = next + 1;
  }
  return false;
}

function holdsQuery(condition: Condition, head: Head): boolean {
  const { bytes, queryStart, queryEnd } = head;
  const { name, value } = condition;
  if (queryStart < 0) return false;
  for (let at = queryStart; at < queryEnd;) {
    const next = seek(bytes, at, queryEnd, AMPERSAND);
    const equal = seek(bytes, at, next, EQUALS);
    if (equals(bytes, at, equal, name)) {
      if (value === null) return true;
      if (equals(bytes, Math.min(equal + 1, next), next, value)) return true;
    }
    at = next + 1;
  }
  return false;
}

/** The first `byte` in [from, to), or `to`. */
function seek(bytes: Buffer, from: number, to: number, byte: number): number {
  let at = from;
  while (at < to && bytes[at] !== byte) at++;
  return at;
}

function skipSpace(bytes: Buffer, from: number, to: number): number {
  let at = from;
  while (at < to && (bytes[at] === SPACE || bytes[at] === TAB)) at++;
  return at;
}

function trimSpace(bytes: Buffer, from: number, to: number): number {
  let at = to;
  while (at > from && (bytes[at - 1] === SPACE || bytes[at - 1] === TAB)) at--;
  return at;
}

function equals(bytes: Buffer, from: number, to: number, wanted: Uint8Array): boolean {
  if (to - from !== wanted.length) return false;
  for (let i = 0; i < wanted.length; i++) if (bytes[from + i] !== wanted[i]) return false;
  return true;
}
