/** What a decoder of bodies found in the bytes it was given. */

/** All bytes are used up, the body goes on. */
export const WANT = 0;
/** `bytes[from, to)` is data. */
export const DATA = 1;
/** The body ended; `at` is behind its last byte. */
export const ENDED = 2;
/** The framing is broken; nothing behind it can be trusted. */
export const BROKEN = 3;
