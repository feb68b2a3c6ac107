/** One case of a run: made from the seed and its number alone, so that it can be made again. */
import { seeded, type Random } from "../../core/http1/test/cuts.cases.ts";
import { TABLES, requestSeed, responseSeed } from "./grammar.ts";
import { mutate } from "./mutators.ts";

/** Messages a case starts with, and how often it is changed. */
const MESSAGES_MAX = 3;
const ROUNDS_MAX = 4;
/** Above this a case is not delivered byte by byte. */
const SINGLE_BYTES_MAX = 300;

/** `ends` are the ends of the writes, ascending; the last one is the length of `bytes`. */
export type Case = Readonly<{
  index: number;
  bytes: Buffer;
  ends: readonly number[];
  mutators: readonly string[];
}>;

/** A plain request behind every case: what a case leaves over would become a part of it. */
const BEHIND = "GET /behind HTTP/1.1\r\nHost: behind\r\nConnection: close\r\n\r\n";

/** The requests of one client connection. */
export function requestCase(seed: number, index: number): Case {
  const pick = pickOf(seed, index);
  const { stream, mutators } = streamOf(pick, requestSeed, 1 + pick(MESSAGES_MAX));
  if (pick(8) !== 0) stream.push(BEHIND);
  return caseOf(index, { stream, mutators, pick });
}

/**
 * Every request and every chunked body of the case tables, unchanged, with another request behind
 * it: whole, cut at random, and byte by byte where that does not take too long. `mutators` is the
 * name of the table's case.
 */
export function tableCases(seed: number): readonly Case[] {
  const pick = seeded(seed);
  return TABLES.flatMap(([name, text]) => {
    const bytes = Buffer.from(text + BEHIND, "latin1");
    const { length } = bytes;
    const cut = Array.from({ length: 3 }, () => 1 + pick(length)).sort((a, b) => a - b);
    const ways = [[length], [...new Set([...cut, length])]];
    if (length <= SINGLE_BYTES_MAX) ways.push(Array.from({ length }, (_, i) => i + 1));
    return ways.map((ends, index) => ({ index, bytes, ends, mutators: [name] }));
  });
}

/** What a hostile backend answers one request with. */
export function responseCase(seed: number, index: number): Case {
  // Another half of the numbers: the two directions share no case.
  const pick = pickOf(seed, index + 2 ** 31);
  const { stream, mutators } = streamOf(pick, responseSeed, 1 + (pick(6) === 0 ? 1 : 0));
  return caseOf(index, { stream, mutators, pick });
}

function pickOf(seed: number, index: number): Random {
  return seeded(Math.imul(seed, 0x9e3779b1) ^ Math.imul(index + 1, 0x85ebca6b));
}

type Stream = Readonly<{ stream: string[]; mutators: string[] }>;

function streamOf(pick: Random, seed: (pick: Random) => string, messages: number): Stream {
  const stream = Array.from({ length: messages }, () => seed(pick));
  const mutators: string[] = [];
  for (let rounds = pick(ROUNDS_MAX + 1); rounds > 0; rounds--) {
    mutators.push(mutate(stream, pick, seed));
  }
  return { stream, mutators };
}

function caseOf(index: number, made: Stream & Readonly<{ pick: Random }>): Case {
  const { stream, mutators, pick } = made;
  const bytes = Buffer.from(stream.join(""), "latin1");
  return { index, bytes, ends: endsOf(stream, bytes.length, pick), mutators };
}

/** Anywhere, or in or beside a line end, or early: heads are short, and bodies may be long. */
function cutIn(text: string, pick: Random): number {
  const somewhere = pick(text.length);
  const kind = pick(4);
  if (kind < 2) return 1 + (kind === 0 ? somewhere : pick(Math.min(80, text.length)));
  const lineEnd = text.indexOf("\r\n", pick(2) === 0 ? somewhere : pick(200));
  return 1 + Math.max(0, lineEnd) + pick(4);
}

/** Whole mostly; else where the messages meet, at random places, or byte by byte. */
function endsOf(stream: readonly string[], length: number, pick: Random): readonly number[] {
  const kind = pick(16);
  if (kind < 9 || length === 0) return [length];
  const ends = new Set([length]);
  if (kind < 11) {
    let end = 0;
    for (const piece of stream) ends.add((end += piece.length));
  } else if (kind < 15 || length > SINGLE_BYTES_MAX) {
    const text = stream.join("");
    for (let cuts = 1 + pick(4); cuts > 0; cuts--) ends.add(Math.min(length, cutIn(text, pick)));
  } else for (let end = 1; end < length; end++) ends.add(end);
  ends.delete(0);
  return [...ends].sort((a, b) => a - b);
}
