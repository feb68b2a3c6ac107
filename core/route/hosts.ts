/**
 * Host names to small integers: exact, then `*.rest` for exactly one label, then `*`. One open
 * addressed hash over ASCII-folded bytes; nothing is decoded, nothing is allocated.
 *
 *   slots  [ hash, record | hash, record | … ]      a power of two of pairs, linear probing
 *   words  [ id, bytes, text… | id, bytes, text… ]  the names, folded, four bytes a word
 *
 * `*.rest` is kept as `.rest`, so a wildcard look-up is a second look-up of the host's own bytes
 * from its first dot on. A name that begins with a dot is therefore no host.
 */
import { NONE } from "../model.ts";
import { isVisible, packText, tailAt, wordAt, wordsOf } from "./words.ts";

/** Longest host name, bytes (RFC 1035 §2.3.4); longer ones can only be met by `*`. */
const NAME_BYTES_MAX = 255;

const ANY = "*";
const DOT = 0x2e;
const EMPTY = -1;
/** A slot whose name is gone: probing goes on after it. */
const DEAD = -2;
const RECORD_HEAD = 2;
const SLOTS_MIN = 8;

export type Hosts = Readonly<{
  slots: Int32Array;
  words: Int32Array;
  /** Words in use; the rest is room for more. */
  used: number;
  /** Slots that are not EMPTY, dead ones included. */
  taken: number;
  /** Wildcard names, so that tables without any look up once. */
  wildcards: number;
  /** Id of `*`, NONE without. */
  any: number;
  /** Where hashing begins: whoever does not know it cannot choose names that collide. */
  seed: number;
}>;

/** A change: names with the ids they get, and names that are gone. */
export type HostChange = Readonly<{
  added: readonly (readonly [name: string, id: number])[];
  gone: readonly string[];
}>;

const NO_HOSTS: Hosts = {
  slots: new Int32Array(SLOTS_MIN * 2).fill(EMPTY),
  words: new Int32Array(0),
  used: 0,
  taken: 0,
  wildcards: 0,
  any: NONE,
  seed: 0,
};

/** The folded words of the host being looked up, and their hash. */
const wanted = new Int32Array(wordsOf(NAME_BYTES_MAX));
const typed = Buffer.alloc(NAME_BYTES_MAX);

// === hot ===

/** The id of the most specific name that takes the host in bytes [start, end), or NONE. */
export function lookupHost(hosts: Hosts, bytes: Uint8Array, start: number, end: number): number {
  const length = end - start;
  if (length === 0 || length > NAME_BYTES_MAX || bytes[start] === DOT) return hosts.any;
  const exact = find(hosts, bytes, start, end);
  if (exact !== NONE) return hosts.words[hosts.slots[exact + 1]!]!;
  if (hosts.wildcards === 0) return hosts.any;
  let dot = start + 1;
  while (dot < end && bytes[dot] !== DOT) dot++;
  if (dot === end) return hosts.any;
  const wild = find(hosts, bytes, dot, end);
  return wild === NONE ? hosts.any : hosts.words[hosts.slots[wild + 1]!]!;
}

/** The slot that holds the name in bytes [start, end), or NONE. */
function find(hosts: Hosts, bytes: Uint8Array, start: number, end: number): number {
  const hash = gather(bytes, start, end, hosts.seed);
  const slots = hosts.slots;
  const last = slots.length - 2;
  for (let slot = (hash << 1) & last; ; slot = (slot + 2) & last) {
    const record = slots[slot + 1]!;
    if (record === EMPTY) return NONE;
    if (record !== DEAD && slots[slot] === hash && same(hosts.words, record, end - start)) {
      return slot;
    }
  }
}

/** Folds bytes [start, end) into `wanted` and returns their hash. */
function gather(bytes: Uint8Array, start: number, end: number, seed: number): number {
  let hash = (end - start) ^ seed;
  let word = 0;
  let at = start;
  for (; at + 4 <= end; at += 4) {
    const folded = fold(wordAt(bytes, at));
    wanted[word++] = folded;
    hash = mix(hash, folded);
  }
  if (at < end) {
    const folded = fold(tailAt(bytes, at, end));
    wanted[word] = folded;
    hash = mix(hash, folded);
  }
  return hash;
}

function mix(hash: number, word: number): number {
  const mixed = Math.imul(hash ^ word, 0x9e3779b1);
  // The top bits of a product depend on all bits of the word, its low bits do not.
  return mixed ^ (mixed >>> 15);
}

/** A–Z to a–z in all four bytes at once; bytes from 0x80 on stay out of ASCII. */
function fold(word: number): number {
  const low = word & 0x7f7f7f7f;
  const upper = (low + 0x3f3f3f3f) & ~(low + 0x25252525) & 0x80808080;
  return word | (upper >>> 2);
}

function same(words: Int32Array, record: number, length: number): boolean {
  if (words[record + 1] !== length) return false;
  const text = record + RECORD_HEAD;
  const size = wordsOf(length);
  for (let i = 0; i < size; i++) if (words[text + i] !== wanted[i]) return false;
  return true;
}

// === cold: compile ===

/** Whether a name can be kept at all; any other one would never be met by a request. */
export function isHostName(name: string): boolean {
  if (name === ANY) return true;
  const bare = name.startsWith("*.") ? name.slice(1) : name;
  if (bare.length === 0 || bare.length > NAME_BYTES_MAX || !isVisible(bare)) return false;
  return bare !== name || !bare.startsWith(".");
}

/**
 * Names to ids, each its position in `names`. Names are `isHostName` and appear once. What is
 * found does not depend on the seed, only how the names lie; patched hosts keep it.
 */
export function compileHosts(names: readonly string[], seed = 0): Hosts {
  const none = { ...NO_HOSTS, seed: seed | 0 };
  return patchHosts(none, { added: names.map((name, id) => [name, id]), gone: [] });
}

/**
 * New hosts with a change applied; the old ones stay as they are. Costs a copy of the integers,
 * not a look at the names that stay.
 */
export function patchHosts(hosts: Hosts, change: HostChange): Hosts {
  const more = change.added.length;
  let room = 0;
  for (const [name] of change.added) room += RECORD_HEAD + wordsOf(name.length);
  const full = (hosts.taken + more) * 4 > hosts.slots.length;
  const next = full ? grow(hosts, more, room) : copy(hosts, room);
  for (const name of change.gone) drop(next, name);
  for (const [name, id] of change.added) add(next, name, id);
  return next;
}

/** The id of a name as it was compiled, or NONE. */
export function idOf(hosts: Hosts, name: string): number {
  if (name === ANY) return hosts.any;
  const slot = slotOf(hosts, name);
  return slot === NONE ? NONE : hosts.words[hosts.slots[slot + 1]!]!;
}

type Draft = { -readonly [K in keyof Hosts]: Hosts[K] };

function copy(hosts: Hosts, room: number): Draft {
  const words = new Int32Array(hosts.used + room);
  words.set(hosts.words.subarray(0, hosts.used));
  return { ...hosts, slots: hosts.slots.slice(), words };
}

/** A copy with room for `more` names that leaves out what is dead: slots and words alike. */
function grow(hosts: Hosts, more: number, room: number): Draft {
  let live = more;
  for (let slot = 0; slot < hosts.slots.length; slot += 2) {
    if (hosts.slots[slot + 1]! >= 0) live++;
  }
  let size = SLOTS_MIN * 2;
  while (size < live * 6) size *= 2;
  const next: Draft = {
    ...hosts,
    slots: new Int32Array(size).fill(EMPTY),
    words: new Int32Array(hosts.used + room),
    used: 0,
    taken: 0,
  };
  for (let slot = 0; slot < hosts.slots.length; slot += 2) {
    const record = hosts.slots[slot + 1]!;
    if (record < 0) continue;
    const end = record + RECORD_HEAD + wordsOf(hosts.words[record + 1]!);
    next.words.set(hosts.words.subarray(record, end), next.used);
    insert(next, hosts.slots[slot]!, next.used);
    next.used += end - record;
  }
  next.words = next.words.slice(0, next.used + room);
  return next;
}

function insert(hosts: Draft, hash: number, record: number): void {
  const slots = hosts.slots;
  const last = slots.length - 2;
  let slot = (hash << 1) & last;
  while (slots[slot + 1] !== EMPTY) slot = (slot + 2) & last;
  slots[slot] = hash;
  slots[slot + 1] = record;
  hosts.taken++;
}

function add(hosts: Draft, name: string, id: number): void {
  if (name === ANY) {
    hosts.any = id;
    return;
  }
  const bare = name.startsWith("*.") ? name.slice(1) : name;
  if (bare !== name) hosts.wildcards++;
  const text = bare.toLowerCase();
  const record = hosts.used;
  hosts.words[record] = id;
  hosts.words[record + 1] = text.length;
  packText(hosts.words, record + RECORD_HEAD, text);
  hosts.used = record + RECORD_HEAD + wordsOf(text.length);
  insert(hosts, gather(typed, 0, typed.write(text, "latin1"), hosts.seed), record);
}

function drop(hosts: Draft, name: string): void {
  if (name === ANY) {
    hosts.any = NONE;
    return;
  }
  const slot = slotOf(hosts, name);
  if (slot === NONE) return;
  hosts.slots[slot + 1] = DEAD;
  if (name.startsWith("*.")) hosts.wildcards--;
}

function slotOf(hosts: Hosts, name: string): number {
  if (!isHostName(name)) return NONE;
  const bare = name.startsWith("*.") ? name.slice(1) : name;
  return find(hosts, typed, 0, typed.write(bare, "latin1"));
}
