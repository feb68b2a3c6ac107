/** What clients ask for: messages made by hand, whole, cut and spoiled, and those of real ones. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { MORE, OK } from "../../fault.ts";
import { Random } from "../../random.ts";
import { HELLO_BYTES_MAX, Hello, MALFORMED, NOT_TLS, readHello } from "../hello.ts";
import { extension, list8, list16, message, NAME, PROTOCOLS, records, VERSIONS } from "./made.ts";

const MUTANTS = 30_000;
const seed = Number(process.env["RIND_SEED"] ?? 1 + (Date.now() % 1_000_000));
console.log(`seed ${seed} (RIND_SEED=${seed} runs it again)`);

const HELLO = message([NAME("a.example"), PROTOCOLS("h2", "http/1.1"), VERSIONS(0x0304, 0x0303)]);

/** What is read, of all of the bytes, behind others and before others. */
function read(bytes: Buffer): readonly [number, Hello] {
  const hello = new Hello();
  const padded = Buffer.concat([Buffer.from("xx"), bytes, Buffer.from("y")]);
  return [readHello(padded, 2, 2 + bytes.length, hello), hello];
}

function reads(bytes: Buffer, expected: Partial<Hello>, what: string): void {
  const [found, hello] = read(bytes);
  assert.is(found, OK, what);
  const { name, alpn, versions } = hello;
  assert.equal({ name, alpn, versions }, { name, alpn, versions, ...expected }, what);
}

test("a name, the protocols and the versions that a client asks for", () => {
  const alpn = ["h2", "http/1.1"];
  const versions = [0x0304, 0x0303];
  reads(records(HELLO), { name: "a.example", alpn, versions }, "all");
  reads(records(message([])), { name: "", alpn: [], versions: [0x0303] }, "no extension");
  reads(records(message(null)), { name: "", alpn: [], versions: [0x0303] }, "not even a list");
  const cases: readonly (readonly [string, string])[] = [
    ["A.Example", "a.example"],
    ["a.example.", "a.example"],
    ["xn--bcher-kva.example", "xn--bcher-kva.example"],
    ["a_b.example", "a_b.example"],
    ["192.0.2.1", ""],
    ["192.0.2.1.", ""],
    ["2001:DB8::1", ""],
    ["192.0.2.1.example", "192.0.2.1.example"],
    ["x".repeat(255), "x".repeat(255)],
    ["constructor", "constructor"],
  ];
  for (const [asked, name] of cases) reads(records(message([NAME(asked)])), { name }, asked);
});

test("what means nothing is passed over", () => {
  const grease = extension(0x3a3a, Buffer.from("anything"));
  const unknown = extension(0xfe0d, Buffer.alloc(300, 1));
  const made = message([
    grease,
    PROTOCOLS("\x8a\x8a", "http/1.1"),
    unknown,
    NAME("a"),
    VERSIONS(0x5a5a, 0x0304),
  ]);
  reads(records(made), { name: "a", alpn: ["http/1.1"], versions: [0x0304] }, "GREASE");
});

test("however the message is cut into records and reads, it reads the same", () => {
  for (const size of [100, 60, 9, 5, 4, 3]) {
    const whole = records(HELLO, size);
    for (let cut = 0; cut < whole.length; cut++) {
      assert.is(read(whole.subarray(0, cut))[0], MORE, `${cut} bytes in records of ${size}`);
    }
    reads(whole, { name: "a.example", versions: [0x0304, 0x0303] }, `records of ${size}`);
    const behind = Buffer.concat([whole, Buffer.from("\x17\x03\x03more, such as early data")]);
    reads(behind, { name: "a.example" }, `more behind records of ${size}`);
  }
});

test("what is no TLS is known by its first bytes", () => {
  const cases = [
    "GET / HTTP/1.1\r\n",
    "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n",
    "\0",
    "\x80\x2e\x01\x03\x01", // SSLv2
    "\x15\x03\x01\x00\x02\x02\x28", // an alert
    "\x17\x03\x03\x00\x05hello",
    "\x16\x02",
    "SSH-2.0-OpenSSH_9.2\r\n",
  ];
  for (const text of cases) assert.is(read(Buffer.from(text, "latin1"))[0], NOT_TLS, text);
});

test("broken messages are refused", () => {
  const cases: readonly (readonly [string, Buffer])[] = [
    ["another message", records(Buffer.concat([Buffer.from([2]), HELLO.subarray(1)]))],
    ["its first byte", records(Buffer.from([0]))],
    ["an empty record", Buffer.from("1603010000", "hex")],
    ["a record too long", Buffer.from("1603014001", "hex")],
    ["another record inside", Buffer.concat([records(HELLO.subarray(0, 50)), Buffer.from("\x17")])],
    ["a message too long", Buffer.from("160301400001004001", "hex")],
    ["too many records", records(Buffer.concat([HELLO, Buffer.alloc(1)]), 1)],
    ["a version of another time", records(message([], { version: 0x0203 }))],
    ["a session too long", records(message([], { session: 33 }))],
    ["no ciphers", records(message([], { ciphers: 0 }))],
    ["half a cipher", records(message([], { ciphers: 3 }))],
    ["no compression", records(message([], { compressions: 0 }))],
    ["the name twice", records(message([NAME("a"), NAME("a")]))],
    ["the protocols twice", records(message([PROTOCOLS("a"), PROTOCOLS("a")]))],
    ["the versions twice", records(message([VERSIONS(0x0304), VERSIONS(0x0304)]))],
    ["no name in the list", records(message([extension(0, list16([]))]))],
    ["an empty name", records(message([NAME("")]))],
    ["a dot", records(message([NAME(".")]))],
    ["NUL in a name", records(message([NAME("a\0.example")]))],
    ["a line end in a name", records(message([NAME("a\r\n")]))],
    ["a space in a name", records(message([NAME("a b")]))],
    ["a name of other letters", records(message([NAME("b\xfccher")]))],
    ["a name too long", records(message([NAME("x".repeat(256))]))],
    ["two names", records(message([extension(0, names(0, 0))]))],
    ["a name of another kind", records(message([extension(0, names(1))]))],
    ["a name behind one of another kind", records(message([extension(0, names(1, 0))]))],
    ["bytes behind the list", records(message([extension(0, Buffer.alloc(9))]))],
    ["no protocol", records(message([extension(16, list16([]))]))],
    ["an empty protocol", records(message([PROTOCOLS("")]))],
    ["a protocol that is cut", records(message([extension(16, list16([Buffer.from([9, 97])]))]))],
    ["no version", records(message([extension(43, list8([]))]))],
    ["half a version", records(message([extension(43, list8([Buffer.from([3])]))]))],
    [
      "an extension that is cut",
      records(message([extension(0xff, Buffer.alloc(4)).subarray(0, 6)])),
    ],
    ["bytes behind the extensions", records(message([], { behind: 1 }))],
  ];
  for (const [what, bytes] of cases) {
    assert.is(read(bytes)[0], MALFORMED, what);
    assert.is(read(Buffer.concat([bytes, Buffer.alloc(9)]))[0], MALFORMED, `${what}, and more`);
  }
});

/** A list of names `a` of these kinds. */
function names(...kinds: readonly number[]): Buffer {
  return list16(kinds.map((kind) => Buffer.from([kind, 0, 1, 97])));
}

test("spoiled messages are read to an end: never past it, and MORE only within bounds", () => {
  const random = new Random(seed);
  for (let i = 0; i < MUTANTS; i++) {
    const bytes = Buffer.from(records(HELLO, 1 + random.below(200)));
    const many = 1 + random.below(4);
    for (let n = 0; n < many; n++) bytes[random.below(bytes.length)] = random.below(256);
    const [found, hello] = read(bytes);
    assert.ok([OK, MORE, NOT_TLS, MALFORMED].includes(found), `case ${i}: ${found}`);
    if (found !== OK) continue;
    assert.ok(/^[!-@[-~]{0,255}$/.test(hello.name), `case ${i}: ${JSON.stringify(hello.name)}`);
    // What came before was enough for the same answer, or there was no answer yet.
    for (const cut of [bytes.length - 1, random.below(bytes.length)]) {
      const [early, before] = read(bytes.subarray(0, cut));
      assert.ok(early === MORE || (early === OK && before.name === hello.name), `case ${i}`);
    }
  }
  const filler = extension(0xff, Buffer.alloc(16_384 - 47));
  const longest = message([filler]);
  assert.is(longest.length, 4 + 16_384);
  assert.is(read(records(longest, 16_384))[0], OK, "the longest message");
  const crowded = Buffer.concat([
    records(longest.subarray(0, 62), 1),
    records(longest.subarray(62)),
  ]);
  assert.ok(crowded.length <= HELLO_BYTES_MAX);
  assert.is(read(crowded)[0], OK, "the longest message in the most records");
});

test("messages of real clients", async () => {
  const asked = { name: "shop.example.com", alpn: ["h2", "http/1.1"] };
  for (const bytes of await captured(asked.name)) {
    const [found, hello] = read(bytes);
    assert.is(found, OK);
    assert.is(hello.name, asked.name);
    assert.equal(hello.alpn, asked.alpn);
    assert.ok(hello.versions.includes(0x0304), `versions ${hello.versions}`);
    for (let cut = 0; cut < bytes.length; cut++) {
      assert.is(read(bytes.subarray(0, cut))[0], MORE, `cut at ${cut}`);
    }
  }
});

/** What the runtime sends, and OpenSSL where it is installed. */
async function captured(name: string): Promise<readonly Buffer[]> {
  const seen: Buffer[] = [];
  let came = (): void => {};
  const listener = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      data(socket, bytes) {
        seen.push(Buffer.from(bytes));
        socket.end();
        came();
      },
    },
  });
  const next = (): Promise<void> => new Promise((resolve) => (came = resolve));
  const { port } = listener;
  const first = next();
  const tls = { serverName: name, ALPNProtocols: "\x02h2\x08http/1.1" };
  const socket = { data() {}, error() {}, connectError() {} };
  await Bun.connect({ hostname: "127.0.0.1", port, tls, socket });
  await first;
  const openssl = Bun.which("openssl");
  if (openssl !== null) {
    const second = next();
    const args = ["-connect", `127.0.0.1:${port}`, "-servername", name, "-alpn", "h2,http/1.1"];
    const child = Bun.spawn([openssl, "s_client", ...args], {
      stdin: "ignore",
      stdout: "ignore",
      stderr: "ignore",
    });
    await second;
    await child.exited;
  }
  listener.stop(true);
  return seen;
}

test.run();
