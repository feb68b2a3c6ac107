/** The HTTP statuses of an API server that mean something to who follows it. */

/** The credentials are not good, or not any more. */
export const UNAUTHORIZED = 401;
/** The rights do not suffice. */
export const FORBIDDEN = 403;
/** There is no such object, or no such kind. */
export const MISSING = 404;
/** Somebody else was quicker: it is there already, or is another version by now. */
export const CONFLICT = 409;
/** The version, or the continue token, is too old. */
export const GONE = 410;
/** Nothing can be answered now. */
export const UNAVAILABLE = 503;
/** A version that the server has not got to yet. */
export const TIMEOUT = 504;

/** A server may ask for more patience than our own limits, up to this. */
const RETRY_AFTER_MAX_MS = 300_000;
const REQUEST_TIMEOUT = 408;
const BUSY = 429;
const SERVER_ERROR = 500;

/** True when the same request may be answered later; 0 is a server that cannot be reached. */
export function isPassing(status: number): boolean {
  if (status === UNAUTHORIZED || status === REQUEST_TIMEOUT || status === BUSY) return true;
  return status === 0 || isServerError(status);
}

/** True when the request is not to blame. */
export function isServerError(status: number): boolean {
  return status >= SERVER_ERROR;
}

/** True when the answer stays the same until people grant a right, or install a kind. */
export function isRefused(status: number): boolean {
  return status === FORBIDDEN || status === MISSING;
}

/** How long a server that asks for so many seconds is left alone, in milliseconds. */
export function readPatience(seconds: number): number {
  return Math.min(seconds * 1_000, RETRY_AFTER_MAX_MS);
}
