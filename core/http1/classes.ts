/** Byte classes of HTTP/1.1, one table look-up a byte (RFC 9110 §5.5 and §5.6.2, RFC 9112 §3). */

/** tchar: method and field-name bytes. */
export const TCHAR = 1;
/** Field-name bytes no two implementations read differently: letters, digits and `-`. */
export const PLAIN = 2;
/** Field-value bytes: HTAB, SP, 0x21–0x7E and obs-text. */
export const VALUE = 4;
/** Request-target bytes: 0x21–0x7E without `#`. */
export const TARGET = 8;
/** Path bytes that never need a second look: TARGET without `%`, `\`, `.`, `;` and `?`. */
export const PATH = 16;
/** Bytes of a registered name: letters, digits, `_` and `-`; dots are looked at one by one. */
export const LABEL = 32;
/** DIGIT. */
export const DIGIT = 64;

/** The class bits of each byte. */
export const CLASS = new Uint8Array(256);

/** Value of a hexadecimal digit; 255 for any other byte. */
export const HEX_VALUE = new Uint8Array(256).fill(255);

const OTHER_TCHARS = "!#$%&'*+-.^_`|~";

for (let byte = 0; byte < 256; byte++) CLASS[byte] = classOf(byte);
for (let value = 0; value < 16; value++) {
  HEX_VALUE[value.toString(16).charCodeAt(0)] = value;
  HEX_VALUE[value.toString(16).toUpperCase().charCodeAt(0)] = value;
}

function classOf(byte: number): number {
  const char = String.fromCharCode(byte);
  const digit = char >= "0" && char <= "9";
  const letter = (char >= "a" && char <= "z") || (char >= "A" && char <= "Z");
  const visible = byte >= 0x21 && byte <= 0x7e;
  let bits = 0;
  if (digit || letter || OTHER_TCHARS.includes(char)) bits |= TCHAR;
  if (digit || letter || char === "-") bits |= PLAIN;
  if (visible || byte === 0x20 || byte === 0x09 || byte >= 0x80) bits |= VALUE;
  if (visible && char !== "#") bits |= TARGET;
  if (visible && !"#%\\.;?".includes(char)) bits |= PATH;
  if (digit || letter || char === "-" || char === "_") bits |= LABEL;
  if (digit) bits |= DIGIT;
  return bits;
}
