/** Fatal alerts (RFC 8446 §6) for clients with whom there is nothing yet to encrypt with. */
export const UNEXPECTED_MESSAGE = fatal(10);
export const DECODE_ERROR = fatal(50);
export const INTERNAL_ERROR = fatal(80);
/** RFC 6066 §3. */
export const UNRECOGNIZED_NAME = fatal(112);

/** A whole record, of the version that all of them begin with (RFC 8446 §5.1). */
function fatal(description: number): Buffer {
  return Buffer.from([21, 3, 1, 0, 2, 2, description]);
}
