/** The fuzzer can fail: whatever is put wrong between plane and backend, it finds and minimizes. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Case } from "./cases.ts";
import { minimize } from "./minimize.ts";
import { RequestRun, type Failure } from "./requests.ts";
import { ResponseRun } from "./responses.ts";

const SEED = 1;
const CASES = 150;

/** What a relay does to the bytes of one read on their way. */
type Alter = (text: string) => string;
type Mutant = readonly [name: string, up: Alter, down: Alter, expected: RegExp];

const same: Alter = (text) => text;
const SMUGGLED = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n";
const isPost = (text: string): boolean => text.startsWith("POST ");

const smuggle: Alter = (text) => (isPost(text) ? text + SMUGGLED : text);

const REQUEST_MUTANTS: readonly Mutant[] = [
  ["a smuggled request", smuggle, same, /^I2.*smuggled/],
  ["a request sent twice", (text) => (isPost(text) ? text + text : text), same, /^I2/],
  [
    "another body",
    (text) => text.replace(/x\r\n0\r\n\r\n$/, "y\r\n0\r\n\r\n"),
    same,
    /^I2: request \d at the origin: body/,
  ],
  ["another path", (text) => text.replace(" /behind ", " /before "), same, /^I2.*target \/before/],
  ["a header more", (text) => text.replace("Via: ", "X: y\r\nVia: "), same, /^I2.*fields/],
  ["a bare LF", (text) => text.replace("\r\nVia", "\nVia"), same, /^I2: HPE_/],
  ["a byte too many", (text) => (isPost(text) ? `${text}G` : text), same, /^I[23]: /],
  [
    "somebody else's answer",
    same,
    (text) => text.replace(/X-Address: .*/, "X-Address: 127.9.9.9"),
    /^I4: an answer for 127\.9\.9\.9/,
  ],
  ["an answer of another id", same, (text) => text.replace(/X-Served: \d/, "X-Served: 9"), /^I4/],
];

const RESPONSE_MUTANTS: readonly Mutant[] = [
  ["another body", same, (text) => text.replace(/x$/, "y"), /^I4: body/],
  ["a status changed", same, (text) => text.replace("HTTP/1.1 201", "HTTP/1.1 202"), /^I4: HTTP/],
  [
    "a connection that is kept against the backend's will",
    same,
    (text) => text.replace(/Connection: close/gi, "Connection: xxxxx"),
    /^I4: a connection is used again although it sent/,
  ],
  ["a length that fits a body which was cut", same, fitLength, /^I4: .* looks complete/],
  [
    "somebody else's answer",
    same,
    (text) => text.replace(/X-Address: .*/, "X-Address: 127.9.9.9"),
    /^I4: .* is not its answer/,
  ],
];

const judged = Bun.which("node") === null ? test.skip : test;
if (Bun.which("node") === null) console.log("skip: node is not installed");

for (const [name, up, down, expected] of REQUEST_MUTANTS) {
  judged(`requests: ${name}`, () =>
    withRequests(up, down, async (run) => expectFound(await run.epoch(0, CASES), expected)),
  );
}

for (const [name, up, down, expected] of RESPONSE_MUTANTS) {
  test(`responses: ${name}`, async () => {
    const run = new ResponseRun(SEED, (port) => openRelay(port, up, down));
    try {
      expectFound(await run.epoch(0, CASES * 5), expected);
    } finally {
      run.stop();
    }
  });
}

judged("nothing between plane and backend: nothing found", () =>
  withRequests(same, same, async (run) => assert.equal(await run.epoch(0, CASES), [])),
);

/** What a fake runner fails for, and the bytes and pieces of the smallest case that does. */
const SHRINKS: readonly (readonly [string, (text: string, ends: number) => boolean, string])[] = [
  ["two bytes, far apart", (text) => /P[^]*!/.test(text), "P! in 1"],
  ["a line", (text) => text.includes("\r\nA: b\r\n"), "\r\nA: b\r\n in 1"],
  ["only in pieces", (text, ends) => ends > 1 && text.includes("PO"), "PO in 2"],
  ["its neighbours' doing", () => false, "all in 3, not alone"],
];

for (const [name, fails, expected] of SHRINKS) {
  test(`a failure by ${name} is told with the smallest case that shows it`, async () => {
    const bytes = Buffer.from(`POST / HTTP/1.1\r\nHost: a\r\nA: b\r\n\r\n${"x".repeat(300)}!`);
    const made = { index: 0, bytes, ends: [1, 9, bytes.length], mutators: [] };
    const solo = async (found: Case): Promise<readonly Failure[]> =>
      fails(found.bytes.toString(), found.ends.length) ? [{ text: "I2: x", found }] : [];
    const { found, alone } = await minimize({ solo }, [made], "I3: y");
    const shown = found === made ? "all" : found.bytes.toString();
    assert.is(`${shown} in ${found.ends.length}${alone ? "" : ", not alone"}`, expected);
  });
}

async function withRequests(
  up: Alter,
  down: Alter,
  body: (run: RequestRun) => Promise<void>,
): Promise<void> {
  const relay = (port: number): number => openRelay(port, up, down);
  const run = await RequestRun.open({ seed: SEED, relay });
  try {
    await body(run);
  } finally {
    run.stop();
  }
}

/** Makes Content-Length say how many bytes of body came along with the head. */
function fitLength(text: string): string {
  return text.replace(
    /Content-Length: \d+(\r\n(?:.+\r\n)*\r\n)([^]*)$/,
    (_, lines: string, body: string) => `Content-Length: ${body.length}${lines}${body}`,
  );
}

function expectFound(failures: readonly Failure[], expected: RegExp): void {
  const texts = failures.map(({ text }) => text.slice(0, 200));
  assert.ok(
    texts.some((text) => expected.test(text)),
    texts.slice(0, 5).join("\n") || "nothing",
  );
}

const relays: Bun.TCPSocketListener<Pipe>[] = [];

test.after.each(() => {
  for (const relay of relays.splice(0)) relay.stop(true);
});

type Pipe = { other: Bun.Socket<Pipe> | null; waiting: string; closed: boolean };

/** A relay to `port` of loopback that alters what passes, read by read; returns its own port. */
function openRelay(port: number, up: Alter, down: Alter): number {
  const pass = (pipe: Pipe, bytes: Buffer, alter: Alter): void => {
    const text = alter(bytes.toString("latin1"));
    if (pipe.other === null) pipe.waiting += text;
    else pipe.other.write(Buffer.from(text, "latin1"));
  };
  const leave = (pipe: Pipe): void => {
    pipe.closed = true;
    pipe.other?.terminate();
  };
  const events = (alter: Alter) => ({
    binaryType: "buffer" as const,
    data: (socket: Bun.Socket<Pipe>, bytes: Buffer) => pass(socket.data, bytes, alter),
    end: (socket: Bun.Socket<Pipe>) => void socket.data.other?.shutdown(),
    close: (socket: Bun.Socket<Pipe>) => leave(socket.data),
    error: () => {},
  });
  const listener = Bun.listen<Pipe>({
    hostname: "127.0.0.1",
    port: 0,
    allowHalfOpen: true,
    socket: {
      ...events(up),
      open(socket) {
        const pipe: Pipe = { other: null, waiting: "", closed: false };
        socket.data = pipe;
        const data: Pipe = { other: socket, waiting: "", closed: false };
        void Bun.connect<Pipe>({
          hostname: "127.0.0.1",
          port,
          allowHalfOpen: true,
          data,
          socket: events(down),
        }).then((other) => {
          pipe.other = other;
          if (pipe.closed) other.terminate();
          if (pipe.waiting !== "") other.write(Buffer.from(pipe.waiting, "latin1"));
        });
      },
    },
  });
  relays.push(listener);
  return listener.port;
}

test.run();
