/** No client ever sees a byte that was meant for another one: many clients, unkind upstreams. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { seeded, seedOfRun, type Random } from "../../core/http1/test/cuts.cases.ts";
import { readMessage, statusOf, type Message } from "../message.ts";
import { respond } from "../origin.ts";
import type { Peer } from "../peer.ts";
import { withRig, type Rig } from "../rig.ts";

const CLIENTS = 24;
const ROUNDS = 12;

const seed = seedOfRun();
console.log(`seed ${seed} (RIND_SEED=${seed} runs it again)`);

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Every answer holds the token of its request, many times over, so that a mix-up shows. */
const answerTo = (request: Message, random: Random): string => {
  const token = /\/(t\d+-\d+-\d+)/.exec(request.first)?.[1] ?? "none";
  const echoedBody = request.body.toString("latin1");
  const text = `${token} `.repeat(1 + random(3_000)) + echoedBody;
  if (random(2) === 0) return respond(200, text);
  const chunks = [text.slice(0, 10), text.slice(10)].filter((chunk) => chunk !== "");
  const framed = chunks.map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`).join("");
  return `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${framed}0\r\n\r\n`;
};

/** Answers, and now and then does what breaks the step of a connection. */
const unkind = (random: Random) => async (peer: Peer) => {
  for (;;) {
    const request = await peer.request().catch(() => null);
    if (request === null) break;
    for (let turns = random(20); turns > 0; turns--) await turn();
    const answer = answerTo(request, random);
    const mood = random(20);
    if (mood === 0) return peer.reset();
    if (mood === 1) {
      peer.send(answer.slice(0, random(answer.length)));
      return peer.shut();
    }
    // Bytes that nobody asked for. (Those that come when the next request is on its way already
    // cannot be told from its answer by anybody; so they come with the answer before.)
    peer.send(mood === 2 ? answer + respond(200, "stale ".repeat(50)) : answer);
    if (mood === 3) return peer.shut();
  }
  peer.shut();
};

const requestOf = (token: string, random: Random): string => {
  const head = `/${token} HTTP/1.1\r\nHost: a\r\n`;
  switch (random(4)) {
    case 0:
      return `POST ${head}Content-Length: ${token.length}\r\n\r\n${token}`;
    case 1: {
      const chunk = `${token.length.toString(16)}\r\n${token}\r\n`;
      return `PUT ${head}Transfer-Encoding: chunked\r\n\r\n${chunk}0\r\n\r\n`;
    }
    default:
      return `GET ${head}\r\n`;
  }
};

/** One client: pipelined requests, sometimes left in the middle; each answer is its own. */
async function visit(rig: Rig, name: number, random: Random): Promise<number> {
  let answered = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const client = await rig.client();
    const tokens = Array.from({ length: 1 + random(5) }, (_, i) => `t${name}-${round}-${i}`);
    const bytes = tokens.map((token) => requestOf(token, random)).join("");
    const abort = random(4) === 0;
    if (random(3) === 0) await client.sendPieces(bytes, 1 + random(40));
    else client.send(abort ? bytes.slice(0, random(bytes.length)) : bytes);
    if (abort) {
      for (let turns = random(40); turns > 0; turns--) await turn();
      expectOwn(client, name, round);
      client.reset();
      continue;
    }
    for (const token of tokens) {
      const wanted = (): boolean => client.ending !== "open" || complete(client.unread);
      await client.until(wanted, `the answer to ${token}`);
      expectOwn(client, name, round);
      if (!complete(client.unread)) break;
      const response = await client.response();
      if (statusOf(response) !== 200) continue;
      answered++;
      const words = new Set(response.body.toString("latin1").match(/t\d+-\d+-\d+/g) ?? []);
      assert.equal([...words], [token]);
    }
    client.reset();
  }
  return answered;
}

function complete(bytes: Buffer): boolean {
  return readMessage(bytes, { response: true, bodiless: false, ended: false }) !== null;
}

/** Nothing in the bytes of a client names another client, another round or a stale answer. */
function expectOwn(client: Peer, name: number, round: number): void {
  const text = client.unread.toString("latin1");
  for (const word of text.match(/t\d+-\d+-\d+/g) ?? []) {
    assert.ok(word.startsWith(`t${name}-${round}-`), `client ${name}-${round} read ${word}`);
  }
  assert.not.ok(text.includes("stale"), `client ${name}-${round} read a stale answer`);
}

/** Connections to the backend: as many as it takes, and so few that requests wait for them. */
for (const upstreamConnections of [1_024, 3]) {
  test(`tokens never cross over ${upstreamConnections} connections, whatever others do`, () =>
    withRig(
      unkind(seeded(seed)),
      async (rig) => {
        const visits = Array.from({ length: CLIENTS }, (_, name) =>
          visit(rig, name, seeded(seed * 1_000 + name)),
        );
        const answered = (await Promise.all(visits)).reduce((sum, count) => sum + count, 0);
        assert.ok(answered > CLIENTS, `only ${answered} answers`);
        const open = rig.origin.peers.filter((peer) => !peer.closed).length;
        assert.ok(open <= upstreamConnections, `${open} connections`);
      },
      { limits: { upstreamConnections } },
    ));
}

test.run();
