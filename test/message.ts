/** Reads HTTP/1.1 messages the strict and naive way: what a test saw, independent of core/http1. */

/** One message as it was on the wire. */
export type Message = Readonly<{
  first: string;
  fields: readonly (readonly [name: string, value: string])[];
  /** Decoded: without chunk framing. */
  body: Buffer;
  framing: "none" | "length" | "chunked" | "close";
  /** Sizes of the chunks, without the last one. */
  chunks: readonly number[];
  trailers: readonly (readonly [name: string, value: string])[];
  /** Bytes of the whole message. */
  size: number;
}>;

/** `ended`: no byte will follow. `bodiless`: a response to HEAD. */
export type Reading = Readonly<{ response: boolean; bodiless: boolean; ended: boolean }>;

type Fields = (readonly [string, string])[];

/** The first message in `bytes`; `null` while it is unfinished. Throws on what is malformed. */
export function readMessage(bytes: Buffer, reading: Reading): Message | null {
  const headEnd = bytes.indexOf("\r\n\r\n");
  if (headEnd < 0) return null;
  const [first = "", ...lines] = bytes.toString("latin1", 0, headEnd).split("\r\n");
  const pattern = reading.response
    ? /^HTTP\/1\.[01] [1-9]\d\d [\t\x20-\x7e\x80-\xff]*$/
    : /^[!#$%&'*+.^_`|~0-9A-Za-z-]+ [\x21-\x7e]+ HTTP\/1\.[01]$/;
  if (!pattern.test(first)) throw new Error(`malformed first line: ${JSON.stringify(first)}`);
  const fields = lines.map(readField);
  const codings = valuesOf(fields, "transfer-encoding");
  const lengths = valuesOf(fields, "content-length");
  if (codings.length + lengths.length > 1) throw new Error("framed twice");
  const start = headEnd + 4;
  const base = { first, fields, trailers: [] as Fields, chunks: [] as number[] };
  const status = reading.response ? Number(first.slice(9, 12)) : 0;
  const bodiless =
    reading.bodiless || (status > 0 && status < 200) || status === 204 || status === 304;
  if (bodiless) return { ...base, body: Buffer.alloc(0), framing: "none", size: start };
  if (codings.length === 1) {
    if (codings[0] !== "chunked") throw new Error(`unknown coding ${codings[0]}`);
    return readChunked(bytes, start, base);
  }
  if (lengths.length === 1) {
    if (!/^(0|[1-9]\d{0,15})$/.test(lengths[0]!)) throw new Error(`bad length ${lengths[0]}`);
    const end = start + Number(lengths[0]);
    if (bytes.length < end) return null;
    return { ...base, body: bytes.subarray(start, end), framing: "length", size: end };
  }
  if (!reading.response) return { ...base, body: Buffer.alloc(0), framing: "none", size: start };
  if (!reading.ended) return null;
  return { ...base, body: bytes.subarray(start), framing: "close", size: bytes.length };
}

/** Every value of a field, in order. `name` in lower case. */
export function valuesOf(fields: Message["fields"], name: string): string[] {
  return fields.filter(([other]) => other.toLowerCase() === name).map(([, value]) => value);
}

/** The status of a response. */
export function statusOf(message: Message): number {
  return Number(message.first.slice(9, 12));
}

function readField(line: string): readonly [string, string] {
  const match = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t\x20-\x7e\x80-\xff]*?)[ \t]*$/.exec(line);
  if (match === null) throw new Error(`malformed field line: ${JSON.stringify(line)}`);
  return [match[1]!, match[2]!];
}

type Base = Pick<Message, "first" | "fields"> & { trailers: Fields; chunks: number[] };

function readChunked(bytes: Buffer, start: number, base: Base): Message | null {
  const parts: Buffer[] = [];
  let at = start;
  for (;;) {
    const lineEnd = bytes.indexOf("\r\n", at);
    if (lineEnd < 0) return null;
    const digits = bytes.toString("latin1", at, lineEnd);
    // What rind writes has no extension and no leading zero, so this reader takes neither.
    if (!/^(0|[1-9a-f][0-9a-f]{0,12})$/i.test(digits)) throw new Error(`bad chunk size ${digits}`);
    const size = Number.parseInt(digits, 16);
    at = lineEnd + 2;
    if (size === 0) break;
    if (bytes.length < at + size + 2) return null;
    if (bytes.toString("latin1", at + size, at + size + 2) !== "\r\n") throw new Error("no CRLF");
    parts.push(bytes.subarray(at, at + size));
    base.chunks.push(size);
    at += size + 2;
  }
  for (;;) {
    const lineEnd = bytes.indexOf("\r\n", at);
    if (lineEnd < 0) return null;
    const trailer = bytes.toString("latin1", at, lineEnd);
    at = lineEnd + 2;
    if (trailer === "") break;
    base.trailers.push(readField(trailer));
  }
  return { ...base, body: Buffer.concat(parts), framing: "chunked", size: at };
}
