/** From a case that fails to the smallest that fails the same way, as far as patience goes. */
import type { Case } from "./cases.ts";
import type { Failure } from "./requests.ts";

const TRIES_MAX = 600;
const MINIMIZE_MS_MAX = 30_000;

/** Anything that can run one case alone. */
export type Runner = Readonly<{ solo: (found: Case) => Promise<readonly Failure[]> }>;

/** The case to show. `alone`: it fails by itself; if not, only its neighbours made it fail. */
export type Minimized = Readonly<{ found: Case; text: string; alone: boolean }>;

/**
 * Looks for the first of `suspects` that fails alone with the invariant of `text`, then leaves out
 * whatever is not needed for that. Takes at most half a minute.
 */
export async function minimize(
  runner: Runner,
  suspects: readonly Case[],
  text: string,
): Promise<Minimized> {
  const until = performance.now() + MINIMIZE_MS_MAX;
  for (const suspect of suspects) {
    if (performance.now() > until) break;
    const again = await failureOf(runner, suspect, text);
    if (again === "") continue;
    const plain = await simplest(runner, suspect, text);
    return { ...(await shrink(runner, plain, { text, until })), alone: true };
  }
  return { found: suspects[0]!, text, alone: false };
}

/** How the case fails, if with the same invariant; else "". */
async function failureOf(runner: Runner, found: Case, text: string): Promise<string> {
  const failures = await runner.solo(found);
  return failures.find((failure) => sameKind(failure.text, text))?.text ?? "";
}

/** I2 and I3 are two views of the origin's end, so one stands for the other. */
function sameKind(one: string, other: string): boolean {
  const kind = (text: string): string => text.slice(0, 2).replace("I3", "I2");
  return kind(one) === kind(other);
}

/** Sent whole, if it fails that way too; else byte by byte; else as it was. */
async function simplest(runner: Runner, found: Case, text: string): Promise<Case> {
  for (const way of [whole, single]) {
    const other = { ...found, ends: way(found.bytes.length) };
    if ((await failureOf(runner, other, text)) !== "") return other;
  }
  return found;
}

type Bounds = Readonly<{ text: string; until: number }>;

/** Leaves out halves, quarters, … single bytes, again and again while that makes it smaller. */
async function shrink(runner: Runner, start: Case, { text, until }: Bounds) {
  let found = start;
  let told = text;
  const cut = found.ends.length > 1 ? single : whole;
  let tries = 0;
  for (let before = Infinity; found.bytes.length < before;) {
    before = found.bytes.length;
    for (let size = before >> 1; size > 0; size >>= 1) {
      for (let at = 0; at < found.bytes.length;) {
        if (tries++ > TRIES_MAX || performance.now() > until) return { found, text: told };
        const { bytes } = found;
        const less = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + size)]);
        const smaller = { ...found, bytes: less, ends: cut(less.length) };
        const failure = less.length === 0 ? "" : await failureOf(runner, smaller, text);
        if (failure === "") at += size;
        else {
          found = smaller;
          told = failure;
        }
      }
    }
  }
  return { found, text: told };
}

function whole(length: number): readonly number[] {
  return [length];
}

function single(length: number): readonly number[] {
  return Array.from({ length }, (_, i) => i + 1);
}
