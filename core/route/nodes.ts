/**
 * The nodes of a trie: how keys that differ are told apart with few loads.
 *
 *   node  [ index | shift, multiplier, child, child, … ]
 *   child = (word at index × multiplier) >>> shift
 *
 * A child ≥ 0 is a node, below 0 the inverse of a record. A node tests all differing bits of one
 * aligned word at once: a hash that is searched for when the table is compiled, mostly one without
 * collisions; keys that do collide get a node of their own. Children that no key takes lead to a
 * key all the same: a path that comes there differs from every key below the node at once.
 *
 * For that to hold, no key may end within the bytes a node tests, or a path could share such a key
 * with some of its children only.
 */
export const MULTIPLIER = 1;
export const HEAD = 2;
/** A node's first word: the index of the tested word, and five bits of shift. */
export const INDEX_SHIFT = 5;
export const SHIFT_MASK = 31;

/** How many bits a node may have beyond the fewest that could be enough. */
const SPARE_BITS = 2;
/** Multipliers tried for each size, fewer of them the more keys there are to try with. */
const TRIES_MAX = 64;
const TRIED_KEYS = 2_048;

/** A key of the trie: ends with a slash, stands in byte order with the others. */
type Key = Readonly<{ text: string; record: number }>;
type Keys = readonly Key[];
type Span = Readonly<{ keys: Keys; slot: number }>;
type Hash = Readonly<{ multiplier: number; bits: number; lost: number }>;

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
  let end = (index << 2) + 4;
  for (const key of others) end = Math.min(end, key.text.length);
  const words = others.map((key) => wordOf(key.text, index << 2, end));
  const { multiplier, bits } = hashOf(words, ((index << 2) + 4 - end) << 3);
  const shift = 32 - bits;
  const children: Key[][] = [];
  for (let i = 0; i < others.length; i++) {
    const child = Math.imul(words[i]!, multiplier) >>> shift;
    const bucket = children[child];
    if (bucket === undefined) children[child] = [others[i]!];
    else bucket.push(others[i]!);
  }
  nodes.push((index << INDEX_SHIFT) | shift, multiplier);
  for (let child = 0; child < 1 << bits; child++) {
    const bucket = children[child];
    if (bucket !== undefined) spans.push({ keys: bucket, slot: nodes.length });
    nodes.push(~keys[0]!.record);
  }
}

/** The word of the bytes [offset, end) of a text, zeros after them. */
function wordOf(text: string, offset: number, end: number): number {
  let word = 0;
  for (let i = offset; i < end; i++) word |= text.charCodeAt(i) << ((i & 3) << 3);
  return word;
}

/**
 * The smallest hash that keeps the words apart, or else the one that keeps most of them apart. It
 * does not depend on their last `unused` bits.
 */
function hashOf(words: readonly number[], unused: number): Hash {
  const distinct = [...new Set(words)];
  let differing = 0;
  for (const word of distinct) differing |= word ^ distinct[0]!;
  const fewest = Math.max(1, 32 - Math.clz32(distinct.length - 1));
  const packed = pack(differing);
  let best = oneBit(differing, distinct.length);
  const tries = Math.min(TRIES_MAX, Math.ceil(TRIED_KEYS / distinct.length));
  let state = 1;
  for (let bits = fewest; bits <= fewest + SPARE_BITS; bits++) {
    for (let i = 0; i < tries && best.lost > 0; i++) {
      // First the multiplier that moves the differing bits of all bytes together, if they fit.
      if (i === 0 && packed.bits > bits) continue;
      state = Math.imul(state, 0x915f77f5) + 0x6a09e667;
      const multiplier = i === 0 ? packed.multiplier : (state | 1) << unused;
      const lost = lostIn(distinct, multiplier, bits);
      if (lost < best.lost) best = { multiplier, bits, lost };
    }
  }
  return best;
}

/** A test of the lowest differing bit alone: the least that tells two words apart for certain. */
function oneBit(differing: number, words: number): Hash {
  const bit = differing & -differing;
  return { multiplier: 1 << Math.clz32(bit), bits: 1, lost: words - 2 };
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

/** How many of the words share a child with an earlier one. */
function lostIn(words: readonly number[], multiplier: number, bits: number): number {
  const taken = new Uint8Array(1 << bits);
  let lost = 0;
  for (const word of words) {
    const child = Math.imul(word, multiplier) >>> (32 - bits);
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
