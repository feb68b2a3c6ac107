/** Text as little-endian int32 words: four bytes a comparison instead of one. */

/** The four bytes at `at`; all of them must exist. */
export function wordAt(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
}

/** The bytes [at, end), at most three, as the low bytes of a word. */
export function tailAt(bytes: Uint8Array, at: number, end: number): number {
  let word = 0;
  if (at < end) word = bytes[at]!;
  if (at + 1 < end) word |= bytes[at + 1]! << 8;
  if (at + 2 < end) word |= bytes[at + 2]! << 16;
  return word;
}

/** Words that `length` bytes take. */
export function wordsOf(length: number): number {
  return (length + 3) >>> 2;
}

/** Packs an ASCII text into `out` from `at` on, the last word filled up with zeros. */
export function packText(out: Int32Array, at: number, text: string): void {
  for (let i = 0; i < text.length; i += 4) {
    let word = 0;
    const size = Math.min(4, text.length - i);
    for (let j = 0; j < size; j++) word |= text.charCodeAt(i + j) << (j << 3);
    out[at + (i >>> 2)] = word;
  }
}

/** Whether every char is visible ASCII, as all canonical paths and host names are. */
export function isVisible(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 0x21 || code > 0x7e) return false;
  }
  return true;
}
