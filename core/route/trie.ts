/**
 * A radix trie over the bytes of rule paths, in one Int32Array. It is blind: nodes test only what
 * tells rules apart, and the one rule they lead to is compared once, at the end. So a look-up costs
 * one comparison of the path, whatever the number of rules, and a few loads a node.
 *
 *   nodes   next…, then records, then nodes
 *   next    the candidate to try after the one at this position, or NONE
 *   record  [ bytes, parent, exact, prefix, text… ]   a key: a rule's path, closed by one slash
 *   node    see core/route/nodes.ts
 *
 * The request's path is closed by a slash as well, so "by path element" is plain byte prefix:
 * `/foo/` begins `/foo/bar/` and not `/foobar/`. `parent` is the longest other key that begins this
 * one; `exact` and `prefix` are where the candidates of the key start, and after the last of them
 * `next` goes on with the candidates of the parent: no way leads back through the nodes.
 */
import { NONE, type PathMatch } from "../model.ts";
import {
  compileNodes,
  HEAD,
  INDEX_SHIFT,
  MULTIPLIER,
  OTHER,
  OTHER_MULTIPLIER,
  SHIFT_MASK,
} from "./nodes.ts";
import { isVisible, packText, tailAt, wordAt, wordsOf } from "./words.ts";

const SLASH = 0x2f;

const BYTES = 0;
const PARENT = 1;
const EXACT = 2;
const PREFIX = 3;
const TEXT = 4;

/** Longest path of a rule, bytes. Request paths are shorter: a longer rule matches nothing. */
const RULE_BYTES_MAX = 65_536;

export type Trie = Readonly<{
  nodes: Int32Array;
  /** The first node, or the inverse of the only record. */
  root: number;
  /** Bytes of the longest key: more of a path never has to be looked at. */
  reach: number;
}>;

/** `order`: which of the given paths stands at each position of the trie. */
export type CompiledTrie = Readonly<{ trie: Trie; order: Int32Array }>;

/** The path being looked up, closed by a slash, as words. */
const wanted = new Int32Array(wordsOf(RULE_BYTES_MAX) + 1);

// === hot ===

/**
 * The position of the first candidate for the canonical path in [start, end), or NONE: longest rule
 * first, exact before prefix. When its conditions fail, the next one is `trie.nodes[position]`.
 */
export function lookup(trie: Trie, path: Uint8Array, start: number, end: number): number {
  const { nodes, reach } = trie;
  const length = end - start;
  const count = gather(path, start, length < reach ? length : reach, length < reach);
  let at = trie.root;
  while (at >= 0) {
    const node = nodes[at]!;
    // Beyond the end of the path this is some older word: then any child will do.
    const word = Math.imul(wanted[node >>> INDEX_SHIFT]!, nodes[at + MULTIPLIER]!);
    const other = Math.imul(wanted[nodes[at + OTHER]!]!, nodes[at + OTHER_MULTIPLIER]!);
    at = nodes[at + HEAD + ((word + other) >>> (node & SHIFT_MASK))]!;
  }
  let record = ~at;
  const shared = common(nodes, record, count);
  while (nodes[record + BYTES]! > shared) {
    record = nodes[record + PARENT]!;
    if (record === NONE) return NONE;
  }
  return nodes[record + (nodes[record + BYTES] === length + 1 ? EXACT : PREFIX)]!;
}

/** Fills `wanted` with the first `size` bytes of the path and returns how many words it took. */
function gather(path: Uint8Array, start: number, size: number, closed: boolean): number {
  const end = start + size;
  let count = 0;
  let at = start;
  for (; at + 4 <= end; at += 4) wanted[count++] = wordAt(path, at);
  if (closed) wanted[count++] = tailAt(path, at, end) | (SLASH << ((end - at) << 3));
  else if (at < end) wanted[count++] = tailAt(path, at, end);
  return count;
}

/**
 * How many bytes the key of a record shares with `wanted`, or more when it is all of the key. Keys
 * hold no zero, so the zeros after the end of either side differ from the other one's bytes.
 */
function common(nodes: Int32Array, record: number, count: number): number {
  const text = record + TEXT;
  const size = (nodes[record + BYTES]! + 3) >>> 2;
  const both = size < count ? size : count;
  let i = 0;
  while (i < both && nodes[text + i] === wanted[i]) i++;
  if (i === both) return i << 2;
  const differing = nodes[text + i]! ^ wanted[i]!;
  return (i << 2) + ((31 - Math.clz32(differing & -differing)) >>> 3);
}

// === cold: compile ===

type Keyed = Readonly<{ texts: readonly string[]; paths: readonly PathMatch[] }>;

/** A distinct key; `exact` and `prefix` as in its record. */
type Key = Readonly<{
  text: string;
  record: number;
  parent: number;
  exact: number;
  prefix: number;
}>;

/**
 * Compiles the paths of one host. Paths that are equal are tried in the order they are given in.
 * A value that is not canonical could match nothing, and gets no position.
 */
export function compileTrie(paths: readonly PathMatch[]): CompiledTrie {
  const keyed = { texts: paths.map(keyOf), paths };
  const order = sort(keyed);
  const next = new Int32Array(order.length);
  const keys = collect(keyed, order, next);
  const last = keys.at(-1);
  if (last === undefined) return { trie: NOTHING, order };
  const base = last.record + TEXT + wordsOf(last.text.length);
  const { nodes, root } = compileNodes(keys, base);
  const out = new Int32Array(base + nodes.length);
  let reach = 0;
  out.set(next);
  for (const key of keys) {
    reach = Math.max(reach, key.text.length);
    write(out, key);
  }
  out.set(nodes, base);
  return { trie: { nodes: out, root, reach }, order };
}

/** One record that no path can meet. */
const NOTHING: Trie = { nodes: Int32Array.of(1, NONE, NONE, NONE, 0), root: ~0, reach: 0 };

/** The path as it is kept: closed by one slash, which a prefix may have had already. */
function keyOf({ kind, value }: PathMatch): string {
  return kind === "prefix" && value.endsWith("/") ? value : `${value}/`;
}

/** Which path stands where: by key, exact first, then the longer spelling, then as given. */
function sort({ texts, paths }: Keyed): Int32Array {
  const order: number[] = [];
  for (let i = 0; i < paths.length; i++) {
    const value = paths[i]!.value;
    const possible = value.startsWith("/") && value.length < RULE_BYTES_MAX && isVisible(value);
    if (possible) order.push(i);
  }
  order.sort((a, b) => {
    const left = texts[a]!;
    const right = texts[b]!;
    if (left !== right) return left < right ? -1 : 1;
    return rank(paths[a]!) - rank(paths[b]!) || a - b;
  });
  return Int32Array.from(order);
}

function rank({ kind, value }: PathMatch): number {
  if (kind === "exact") return 0;
  return value.endsWith("/") ? 1 : 2;
}

/** The distinct keys in byte order, so that a key comes after all that begin it; fills `next`. */
function collect({ texts, paths }: Keyed, order: Int32Array, next: Int32Array): readonly Key[] {
  const keys: Key[] = [];
  /** The keys that begin the current one, shortest first. */
  const open: Key[] = [];
  let record = next.length;
  for (let first = 0; first < order.length;) {
    const text = texts[order[first]!]!;
    let end = first;
    let slashed = first;
    for (; end < order.length && texts[order[end]!] === text; end++) {
      if (paths[order[end]!]!.kind === "exact") slashed = end + 1;
      next[end] = end + 1;
    }
    while (open.length > 0 && !text.startsWith(open.at(-1)!.text)) open.pop();
    const outer = open.at(-1);
    const fallback = outer === undefined ? NONE : outer.prefix;
    next[end - 1] = fallback;
    const prefix = slashed < end ? slashed : fallback;
    const exact = first < slashed ? first : prefix;
    const key = { text, record, parent: outer === undefined ? NONE : outer.record, exact, prefix };
    keys.push(key);
    open.push(key);
    record += TEXT + wordsOf(text.length);
    first = end;
  }
  return keys;
}

function write(out: Int32Array, key: Key): void {
  out[key.record + BYTES] = key.text.length;
  out[key.record + PARENT] = key.parent;
  out[key.record + EXACT] = key.exact;
  out[key.record + PREFIX] = key.prefix;
  packText(out, key.record + TEXT, key.text);
}
