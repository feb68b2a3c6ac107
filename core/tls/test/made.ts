/** Messages of TLS clients, made piece by piece, so that each piece can be wrong. */

/** What is wrong with a message. `behind` bytes lie behind its extensions. */
type Oddities = Readonly<{
  version?: number;
  session?: number;
  ciphers?: number;
  compressions?: number;
  behind?: number;
}>;

/** A ClientHello without records; no `extensions` leaves their list away. */
export function message(extensions: readonly Buffer[] | null, odd: Oddities = {}): Buffer {
  const { version = 0x0303, session = 0, ciphers = 2, compressions = 1, behind = 0 } = odd;
  const body = Buffer.concat([
    number16(version),
    Buffer.alloc(32, 7),
    list8([Buffer.alloc(session)]),
    list16([Buffer.alloc(ciphers, 0x13)]),
    list8([Buffer.alloc(compressions)]),
    extensions === null ? Buffer.alloc(0) : list16(extensions),
    Buffer.alloc(behind),
  ]);
  return Buffer.concat([Buffer.from([1, 0]), number16(body.length), body]);
}

/** The bytes as records of up to `size` each. */
export function records(bytes: Buffer, size = 16_384): Buffer {
  const pieces: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += size) {
    pieces.push(Buffer.from([22, 3, 1]), list16([bytes.subarray(at, at + size)]));
  }
  return Buffer.concat(pieces);
}

export function extension(kind: number, contents: Buffer): Buffer {
  return Buffer.concat([number16(kind), list16([contents])]);
}

/** Asks for a host. */
export function NAME(name: string): Buffer {
  const bytes = Buffer.from(name, "latin1");
  return extension(0, list16([Buffer.from([0]), list16([bytes])]));
}

/** Offers application protocols. */
export function PROTOCOLS(...protocols: readonly string[]): Buffer {
  return extension(16, list16(protocols.map((text) => list8([Buffer.from(text, "latin1")]))));
}

/** Offers versions. */
export function VERSIONS(...versions: readonly number[]): Buffer {
  return extension(43, list8(versions.map(number16)));
}

/** Pieces behind their length in one byte. */
export function list8(pieces: readonly Buffer[]): Buffer {
  const bytes = Buffer.concat(pieces);
  return Buffer.concat([Buffer.from([bytes.length]), bytes]);
}

/** Pieces behind their length in two bytes. */
export function list16(pieces: readonly Buffer[]): Buffer {
  const bytes = Buffer.concat(pieces);
  return Buffer.concat([number16(bytes.length), bytes]);
}

function number16(value: number): Buffer {
  return Buffer.from([value >> 8, value & 0xff]);
}
