/**
 * The nodes of a trie: how keys that differ are told apart with few loads.
 *
 *   node  [ index | shift, multiplier, other, otherMultiplier, child, child, … ]
 *   child = (word[index] × multiplier + word[other] × otherMultiplier) >>> shift
 *
 * A child ≥ 0 is a node, below 0 the inverse of a record. A node tests an aligned word at once, and
 * a later one with it when that tells more keys apart: a hash that is searched for when the table
 * is compiled, mostly one without collisions; keys that do collide get a node of their own.
 * Trailing zeros of a multiplier push the bytes that are not to be tested out of the product.
 * Children that no key takes lead to a key all the same: a path that comes there differs from every
 * key below the node at once. For that to hold, no key may end before the last byte a node tests,
 * or a path could share such a key with some of its children only.
 */
import { NONE } from "../model.ts";

export const MULTIPLIER = 1;
export const OTHER = 2;
export const OTHER_MULTIPLIER = 3;
export const HEAD = 4;
/** A node's first word: the index of the tested word, and five bits of shift. */
export const INDEX_SHIFT = 5;
export const SHIFT_MASK = 31;

/** How many bits a node may have beyond the fewest that could be enough. */
const SPARE_BITS = 2;
/** Multipliers tried for each size, fewer of them the more keys there are to try with. */
const TRIES_MIN = 4;
const TRIES_MAX = 64;
const TRIED_KEYS = 2_048;

/** A key of the trie: ends with a slash, stands in byte order with the others. */
type Key = Readonly<{ text: string; record: number }>;
type Keys = readonly Key[];
type Span = Readonly<{ keys: Keys; slot: number }>;
/** The words of one key that a node tests. */
type Tested = Readonly<{ word: number; other: number }>;
type Hash = Readonly<{ multiplier: number; otherMultiplier: number; bits: number; lost: number }>;

const ROOT = -1;

/** All nodes for the keys, the root's neighbours first; positions count from `base`. */
export function compileNodes(
  keys: Keys,
  base: number,
): Readonly<{ nodes: readonly number[]; root: number }> {
  const nodes: number[] = [];
  const spans: Span[] = [{ keys, slot: ROOT }];
  let root = ROOT;
  for (let i = 0; i < spans.length; i++) {
    const { keys: all, slot } = spans[i]!;
    const first = narrow(all);
    const only = first === all.length - 1;
    const at = only ? ~all[first]!.record : base + nodes.length;
    if (slot === ROOT) root = at;
    else nodes[slot] = at;
    if (!only) fork(first === 0 ? all : all.slice(first), nodes, spans);
  }
  return { nodes, root };
}

/**
 * How many keys at the front to leave out: those that begin all others while the others go on with
 * the same byte. Whoever looks for them finds them as parents.
 */
function narrow(keys: Keys): number {
  const last = keys.at(-1)!.text;
  for (let first = 0; first < keys.length - 1; first++) {
    const text = keys[first]!.text;
    if (!last.startsWith(text)) return first;
    if (keys[first + 1]!.text[text.length] !== last[text.length]) return first;
  }
  return keys.length - 1;
}

/** One node for the keys, and a new span for each child that any of them takes. */
function fork(keys: Keys, nodes: number[], spans: Span[]): void {
  const text = keys[0]!.text;
  const offset = begins(text, keys.at(-1)!.text);
  const index = offset >>> 2;
  // A key that begins all others is met through any of them.
  const others = offset === text.length ? keys.slice(1) : keys;
  let end = others[0]!.text.length;
  for (const key of others) end = Math.min(end, key.text.length);
  const other = laterIndex(others, index + 1, end);
  const tested = others.map((key): Tested => ({
    word: wordOf(key.text, index, end),
    other: other === NONE ? 0 : wordOf(key.text, other, end),
  }));
  const hash = hashOf(tested, unusedOf(index, end), other === NONE ? 32 : unusedOf(other, end));
  const children: Key[][] = [];
  for (let i = 0; i < others.length; i++) {
    const child = childOf(tested[i]!, hash);
    const bucket = children[child];
    if (bucket === undefined) children[child] = [others[i]!];
    else bucket.push(others[i]!);
  }
  nodes.push((index << INDEX_SHIFT) | (32 - hash.bits), hash.multiplier);
  nodes.push(Math.max(0, other), hash.otherMultiplier);
  for (let child = 0; child < 1 << hash.bits; child++) {
    const bucket = children[child];
    if (bucket !== undefined) spans.push({ keys: bucket, slot: nodes.length });
    nodes.push(~keys[0]!.record);
  }
}

/** The first word from `index` on, begun before `end`, in which keys differ; NONE without one. */
function laterIndex(keys: Keys, index: number, end: number): number {
  for (let at = index; at << 2 < end; at++) {
    const word = wordOf(keys[0]!.text, at, end);
    for (const key of keys) if (wordOf(key.text, at, end) !== word) return at;
  }
  return NONE;
}

/** The word at `index` of a text, zeros instead of its bytes from `end` on. */
function wordOf(text: string, index: number, end: number): number {
  const from = index << 2;
  const to = Math.min(from + 4, end);
  let word = 0;
  for (let i = from; i < to; i++) word |= text.charCodeAt(i) << ((i - from) << 3);
  return word;
}

/** How many of the last bits of the word at `index` are not tested. */
function unusedOf(index: number, end: number): number {
  return Math.max(0, (index << 2) + 4 - end) << 3;
}

function childOf({ word, other }: Tested, hash: Omit<Hash, "lost">): number {
  const product = Math.imul(word, hash.multiplier) + Math.imul(other, hash.otherMultiplier);
  return product >>> (32 - hash.bits);
}

/**
 * The smallest hash that keeps the words apart, or else the one that keeps most of them apart. It
 * does not depend on the `unused` last bits of the words; 32 leaves the other word out.
 */
function hashOf(tested: readonly Tested[], unused: number, otherUnused: number): Hash {
  const distinct = distinctOf(tested);
  let differing = 0;
  for (const { word } of distinct) differing |= word ^ distinct[0]!.word;
  const fewest = Math.max(1, 32 - Math.clz32(distinct.length - 1));
  const packed = pack(differing);
  const tries = Math.min(TRIES_MAX, Math.max(TRIES_MIN, TRIED_KEYS / distinct.length));
  let best = oneBit(differing, distinct.length);
  let state = 1;
  const random = (zeros: number): number => {
    state = Math.imul(state, 0x915f77f5) + 0x6a09e667;
    return zeros === 32 ? 0 : (state | 1) << zeros;
  };
  for (let bits = fewest; bits <= fewest + SPARE_BITS; bits++) {
    for (let i = 0; i < tries && best.lost > 0; i++) {
      // First the multiplier that moves the differing bits of one word together, if they fit.
      const packs = i === 0 && otherUnused === 32 && packed.bits <= bits;
      const multiplier = packs ? packed.multiplier : random(unused);
      const hash = { multiplier, otherMultiplier: random(otherUnused), bits };
      const lost = lostIn(distinct, hash);
      if (lost < best.lost) best = { ...hash, lost };
    }
  }
  return best;
}

/** Each pair of words once. */
function distinctOf(tested: readonly Tested[]): readonly Tested[] {
  const seen = new Map<string, Tested>();
  for (const pair of tested) seen.set(`${pair.word} ${pair.other}`, pair);
  return [...seen.values()];
}

/** A test of the lowest differing bit alone: the least that tells two words apart for certain. */
function oneBit(differing: number, words: number): Hash {
  const bit = differing & -differing;
  return { multiplier: 1 << Math.clz32(bit), otherMultiplier: 0, bits: 1, lost: words - 2 };
}

/** A multiplier that moves the differing bits of each byte next to those of the byte above. */
function pack(differing: number): Readonly<{ multiplier: number; bits: number }> {
  let multiplier = 0;
  let to = 32;
  for (let byte = 24; byte >= 0; byte -= 8) {
    const run = (differing >>> byte) & 255;
    if (run === 0) continue;
    const low = 31 - Math.clz32(run & -run);
    to -= 32 - Math.clz32(run) - low;
    multiplier |= 1 << (to - byte - low);
  }
  return { multiplier, bits: 32 - to };
}

/** How many of the pairs share a child with an earlier one. */
function lostIn(tested: readonly Tested[], hash: Omit<Hash, "lost">): number {
  const taken = new Uint8Array(1 << hash.bits);
  let lost = 0;
  for (const pair of tested) {
    const child = childOf(pair, hash);
    lost += taken[child]!;
    taken[child] = 1;
  }
  return lost;
}

/** How many characters two texts share from their start. */
function begins(one: string, other: string): number {
  let i = 0;
  while (i < one.length && one.charCodeAt(i) === other.charCodeAt(i)) i++;
  return i;
}
