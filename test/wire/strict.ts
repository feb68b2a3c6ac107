/**
 * Smuggling: whatever a client sends, an independent strict parser behind the plane (Node's own
 * server) reads exactly the requests that were accepted, one for each answer, and nothing else.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { seeded, seedOfRun, type Random } from "../../core/http1/test/cuts.cases.ts";
import { REQUEST_CASES } from "../../core/http1/test/request.cases.ts";
import { CHUNKED_CASES } from "../../core/http1/test/body.cases.ts";
import { readMessage, statusOf, valuesOf } from "../message.ts";
import { echo } from "../origin.ts";
import type { Peer } from "../peer.ts";
import { openRig, type Rig } from "../rig.ts";

const MUTATIONS = 600;
const QUIET_TURNS = 300;

/** Runs in Node: one line of JSON for each complete request and each parse error. */
const SERVER = `
const http = require("node:http");
let served = 0;
const say = (what) => process.stdout.write(JSON.stringify(what) + "\\n");
const options = { insecureHTTPParser: false, maxHeaderSize: 131072 };
const server = http.createServer(options, (request, response) => {
  const parts = [];
  request.on("data", (part) => parts.push(part));
  request.on("end", () => {
    const body = Buffer.concat(parts).toString("latin1");
    const token = String(request.headers["x-token"] ?? "");
    say({ served: ++served, token, method: request.method, url: request.url, body });
    response.writeHead(200, { "x-served": String(served), "x-token": token });
    response.end(body);
  });
});
server.keepAliveTimeout = 60000;
server.on("clientError", (error, socket) => {
  say({ error: error.code, packet: String(error.rawPacket).slice(0, 300) });
  socket.destroy();
});
server.listen(0, "127.0.0.1", () => say({ port: server.address().port }));
`;

type Line = Readonly<{
  port?: number;
  error?: string;
  packet?: string;
  served?: number;
  token?: string;
  method?: string;
  url?: string;
  body?: string;
}>;

const seed = seedOfRun();
console.log(`seed ${seed} (RIND_SEED=${seed} runs it again)`);
const random = seeded(seed);

const node = Bun.which("node");
const said: Line[] = [];
let child: Bun.Subprocess<"ignore", "pipe", "inherit">;
let rig: Rig;
let heard = (): void => {};

const suite = node === null ? test.skip : test;
if (node === null) console.log("skip: node is not installed");

test.before(async () => {
  if (node === null) return;
  child = Bun.spawn([node, "-e", SERVER], { stdin: "ignore", stdout: "pipe", stderr: "inherit" });
  void listen(child.stdout);
  await until(() => said.length > 0, "the server to start");
  const port = said.shift()?.port ?? 0;
  rig = openRig(echo, { endpoints: () => [{ address: "127.0.0.1", port, uid: "" }] });
});

test.after(() => {
  if (node === null) return;
  rig.stop();
  child.kill();
});

suite("every request of the tables, with another one behind it", async () => {
  for (const [name, bytes] of REQUEST_CASES) await expectInStep(bytes, name);
  for (const [name, bytes] of CHUNKED_CASES) {
    const head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    await expectInStep(head + bytes, name);
  }
});

suite("mutated requests, with another one behind them", async () => {
  for (let i = 0; i < MUTATIONS; i++) {
    let bytes = seedRequest(random);
    for (let times = 1 + random(3); times > 0; times--) bytes = mutate(bytes, random);
    await expectInStep(bytes, `mutation ${i}: ${JSON.stringify(bytes.slice(0, 400))}`);
  }
});

/**
 * Sends `bytes` and a plain request behind them. Each answer that came from the server names the
 * request it answers; the server must not have served one more than that.
 */
async function expectInStep(bytes: string, name: string): Promise<void> {
  said.length = 0;
  const client = await rig.client();
  const behind = "GET /behind HTTP/1.1\r\nHost: a\r\nX-Token: behind\r\nConnection: close\r\n\r\n";
  client.send(bytes + behind);
  // The request behind ends the connection, unless the plane waits for more of the one before.
  await quiet(client);
  if (client.ending === "open") client.shut();
  await client.left();
  const answers = answersOf(client);
  const served = answers.filter((fields) => valuesOf(fields, "x-served").length > 0);
  // A request of its own pushes everything the server has to say in front of it.
  await probe();
  const requests = said.filter((line) => line.served !== undefined && line.token !== "probe");
  const shown = `${name}: ${JSON.stringify(requests)}`;
  assert.is(requests.length, served.length, shown);
  for (const [i, fields] of served.entries()) {
    assert.is(valuesOf(fields, "x-served")[0], String(requests[i]?.served), shown);
  }
  const errors = said.filter((line) => line.error !== undefined && !isHarmless(line.error));
  assert.equal(errors, [], name);
  client.reset();
}

/**
 * Errors that say nothing about framing: a connection that was ended inside a request, as it must
 * be at times, and a method that Node does not know.
 */
function isHarmless(code: string): boolean {
  return ["ECONNRESET", "EPIPE", "HPE_INVALID_EOF_STATE", "HPE_INVALID_METHOD"].includes(code);
}

/** The fields of every answer a client got, until they end or are cut. */
function answersOf(client: Peer): (readonly (readonly [string, string])[])[] {
  const answers: (readonly (readonly [string, string])[])[] = [];
  while (client.unread.length > 0) {
    const reading = { response: true, bodiless: false, ended: true };
    const message = readMessage(client.unread, reading);
    // The request may have been HEAD: then no body follows its answer's length.
    const next = message ?? readMessage(client.unread, { ...reading, bodiless: true });
    if (next === null) break;
    client.take(next.size);
    if (statusOf(next) >= 200) answers.push(next.fields);
  }
  return answers;
}

/** The client's connection ended, or nothing moved for a while: the plane waits for more. */
async function quiet(client: Peer): Promise<void> {
  let seen = -1;
  for (let still = 0; still < QUIET_TURNS && client.ending === "open"; still++) {
    await new Promise((resolve) => setImmediate(resolve));
    if (client.received + said.length === seen) continue;
    seen = client.received + said.length;
    still = 0;
  }
}

async function probe(): Promise<void> {
  const client = await rig.client();
  client.send("GET / HTTP/1.1\r\nHost: a\r\nX-Token: probe\r\n\r\n");
  assert.is(statusOf(await client.response()), 200);
  client.reset();
  await until(() => said.some((line) => line.token === "probe"), "the probe");
}

// === mutations ===

const BYTES = '\r|\n|\r\n|\0|:|\t| |;|,|\x0b|\x0c|\x85|\xa0|\xef\xbb\xbf|0|+|-|x|_|"|\\'.split("|");
const LINES = [
  "Content-Length: 5",
  "Content-Length: 0",
  "Content-Length: 1",
  "Transfer-Encoding: chunked",
  "Transfer-Encoding : chunked",
  "Transfer-Encoding: identity",
  "Connection: close",
  "Connection: Content-Length",
  "Expect: 100-continue",
  "Upgrade: h2c",
  " folded",
  "Host: b",
];

function seedRequest(pick: Random): string {
  const inner = "GET /inner HTTP/1.1\r\nHost: a\r\nX-Token: inner\r\n\r\n";
  const head = "/outer HTTP/1.1\r\nHost: a\r\nX-Token: outer\r\n";
  switch (pick(4)) {
    case 0:
      return `POST ${head}Content-Length: ${inner.length}\r\n\r\n${inner}`;
    case 1: {
      const size = inner.length.toString(16);
      return `POST ${head}Transfer-Encoding: chunked\r\n\r\n${size}\r\n${inner}\r\n0\r\n\r\n`;
    }
    case 2:
      return `GET ${head}\r\n${inner}`;
    default:
      return (
        `POST ${head}Transfer-Encoding: chunked\r\nA: b\r\n\r\n` +
        "5;a=b\r\nhello\r\n0\r\nT: u\r\n\r\n"
      );
  }
}

/** One change: a byte dropped, doubled, replaced or put in; a line put in, doubled or moved. */
function mutate(bytes: string, pick: Random): string {
  const at = pick(bytes.length);
  const special = BYTES[pick(BYTES.length)]!;
  switch (pick(8)) {
    case 0:
      return bytes.slice(0, at) + bytes.slice(at + 1);
    case 1:
      return bytes.slice(0, at) + bytes[at]! + bytes.slice(at);
    case 2:
      return bytes.slice(0, at) + special + bytes.slice(at + 1);
    case 3:
      return bytes.slice(0, at) + special + bytes.slice(at);
  }
  const lines = bytes.split("\r\n");
  const from = pick(lines.length);
  const to = 1 + pick(lines.length);
  const taken = lines[from]!;
  const kind = pick(3);
  if (kind === 0) lines.splice(to, 0, LINES[pick(LINES.length)]!);
  else if (kind === 1) lines.splice(to, 0, taken);
  else lines.splice(to, 0, ...lines.splice(from, 1));
  return lines.join("\r\n");
}

// === listening to the server ===

async function listen(out: ReadableStream<Uint8Array>): Promise<void> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const part of out) {
    text += decoder.decode(part, { stream: true });
    const lines = text.split("\n");
    text = lines.pop() ?? "";
    for (const line of lines) said.push(JSON.parse(line) as Line);
    heard();
  }
}

async function until(ready: () => boolean, what: string): Promise<void> {
  while (!ready()) {
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`waited for ${what}`)), 15_000);
      heard = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

test.run();
