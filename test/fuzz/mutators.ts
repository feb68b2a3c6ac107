/**
 * Changes to a message stream, by name: the thirteen of the HTTP Garden (Narf Industries), which
 * found most of the known disagreements between servers, and some of our own. A stream is a list of
 * pieces; where they meet is one of the places at which delivery cuts them.
 */
import type { Random } from "../../core/http1/test/cuts.cases.ts";
import { METHODS, oneOf } from "./grammar.ts";

/** Changes `stream` in place; false when there is nothing it could change. */
type Mutator = (stream: string[], pick: Random, seed: (pick: Random) => string) => boolean;

const MEANINGFUL = ["\r\n", "\r", "\n", "\0", ":", "\t", " ", ",", ";", "=", '"'];
/** What some languages take for white space or nothing, and HTTP does not. */
const BLANK = ["\x00", "\x0b", "\x0c", "\x85", "\xa0", "\xef\xbb\xbf"];
const LINES = ["Content-Length: 0", "Content-Length: 5", "Content-Length: 1", "Content-Length:"]
  .concat("Transfer-Encoding: chunked", "Transfer-Encoding: identity", "Transfer-Encoding :chunked")
  .concat("", "Test:", "Connection: close", "Connection: keep-alive", " folded", "no colon")
  .concat("Connection: Content-Length", "Expect: 100-continue", "Upgrade: h2c", "Host: b", ": x")
  .concat("Transfer-Encoding: xchunked", "Transfer_Encoding: chunked", "Content-Length: +3");

/** By name; the order is part of a seed's meaning. */
const MUTATORS: readonly (readonly [name: string, mutate: Mutator])[] = [
  ["delete byte", (stream, pick) => splice(stream, pick, (_, at) => [at, 1, ""])],
  ["replace byte", (stream, pick) => splice(stream, pick, (_, at) => [at, 1, anyByte(pick)])],
  ["insert byte", (stream, pick) => splice(stream, pick, (_, at) => [at, 0, anyByte(pick)])],
  ["insert meaningful byte", (stream, pick) => insert(stream, pick, MEANINGFUL)],
  ["insert blank byte", (stream, pick) => insert(stream, pick, BLANK)],
  ["duplicate byte", (stream, pick) => splice(stream, pick, (text, at) => [at, 0, text[at] ?? ""])],
  ["delete header", (stream, pick) => onLines(stream, pick, (lines, at) => lines.splice(at, 1))],
  ["insert header", (stream, pick) => putLine(stream, pick, 0)],
  ["replace header", (stream, pick) => putLine(stream, pick, 1)],
  ["duplicate header", (stream, pick) => onLines(stream, pick, duplicateLine)],
  ["swap headers", (stream, pick) => onLines(stream, pick, swapLines)],
  ["replace method", replaceMethod],
  ["change number", changeNumber],
  ["insert message", (stream, pick, seed) => stream.splice(pick(2), 0, seed(pick)) !== null],
  ["delete message", (stream, pick) => stream.length > 1 && take(stream, pick) !== ""],
  ["replace message", replaceMessage],
  ["concatenate messages", concatenate],
  ["shift boundary", shiftBoundary],
  ["cut short", (stream, pick) => splice(stream, pick, (text, at) => [at, text.length - at, ""])],
];

/** Changes `stream` once and returns the name of the change. */
export function mutate(stream: string[], pick: Random, seed: (pick: Random) => string): string {
  for (;;) {
    const [name, change] = oneOf(MUTATORS, pick);
    if (change(stream, pick, seed)) return name;
  }
}

function anyByte(pick: Random): string {
  return String.fromCharCode(pick(256));
}

/** `edit` names a place, how many bytes go there, and what comes instead. */
function splice(
  stream: string[],
  pick: Random,
  edit: (text: string, at: number) => readonly [at: number, gone: number, put: string],
): boolean {
  const index = pick(stream.length);
  const text = stream[index]!;
  if (text === "") return false;
  const [at, gone, put] = edit(text, pick(text.length));
  stream[index] = text.slice(0, at) + put + text.slice(at + gone);
  return true;
}

function insert(stream: string[], pick: Random, from: readonly string[]): boolean {
  return splice(stream, pick, (_, at) => [at, 0, oneOf(from, pick)]);
}

/** Edits the lines of one message, its body's lines included: they are frames there. */
function onLines(
  stream: string[],
  pick: Random,
  edit: (lines: string[], at: number, pick: Random) => unknown,
): boolean {
  const index = pick(stream.length);
  const lines = stream[index]!.split("\r\n");
  if (lines.length < 3) return false;
  edit(lines, 1 + pick(lines.length - 2), pick);
  stream[index] = lines.join("\r\n");
  return true;
}

function putLine(stream: string[], pick: Random, gone: number): boolean {
  return onLines(stream, pick, (lines, at) => lines.splice(at, gone, oneOf(LINES, pick)));
}

function duplicateLine(lines: string[], at: number, pick: Random): void {
  lines.splice(1 + pick(lines.length - 1), 0, lines[at]!);
}

function swapLines(lines: string[], at: number, pick: Random): void {
  const other = 1 + pick(lines.length - 1);
  [lines[at], lines[other]] = [lines[other]!, lines[at]!];
}

function replaceMethod(stream: string[], pick: Random): boolean {
  const index = pick(stream.length);
  const space = stream[index]!.indexOf(" ");
  if (space < 0) return false;
  const method = oneOf([...METHODS, "CONNECT", "TRACE", "get", "PRI", "FOO", ""], pick);
  stream[index] = method + stream[index]!.slice(space);
  return true;
}

/** A length, a size, a version or a port, by one or by much. */
function changeNumber(stream: string[], pick: Random): boolean {
  const index = pick(stream.length);
  const found = [...stream[index]!.matchAll(/\d+/g)];
  if (found.length === 0) return false;
  const chosen = oneOf(found, pick);
  const number = Number(chosen[0]);
  const next = oneOf([number + 1, number - 1, number * 16, 0, 2 ** 53, number + 2 ** 32], pick);
  const text = stream[index]!;
  const end = chosen.index + chosen[0].length;
  stream[index] = text.slice(0, chosen.index) + String(next) + text.slice(end);
  return true;
}

function take(stream: string[], pick: Random): string {
  return stream.splice(pick(stream.length), 1)[0] ?? "";
}

function replaceMessage(stream: string[], pick: Random, seed: (pick: Random) => string): boolean {
  if (stream.length < 2) return false;
  stream[pick(stream.length)] = seed(pick);
  return true;
}

function concatenate(stream: string[], pick: Random): boolean {
  if (stream.length < 2) return false;
  const at = pick(stream.length - 1);
  stream.splice(at, 2, stream[at]! + stream[at + 1]!);
  return true;
}

/** Where two messages meet moves, which moves a cut; or the second one loses its beginning. */
function shiftBoundary(stream: string[], pick: Random): boolean {
  if (stream.length < 2) return false;
  const at = pick(stream.length - 1);
  const both = stream[at]! + stream[at + 1]!;
  const boundary = pick(both.length + 1);
  const [first, second] = [both.slice(0, boundary), both.slice(boundary)];
  if (pick(2) === 0) stream.splice(at, 2, first, second);
  else stream.splice(at, 2, second, first);
  return true;
}
