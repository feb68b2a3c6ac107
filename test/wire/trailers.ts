/** Trailers through the plane: relayed to those who asked, refused from those who forge. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { TRAILER_CASES } from "../../core/http1/test/trailers.cases.ts";
import { statusOf, type Message } from "../message.ts";
import { answering, echo, echoed } from "../origin.ts";
import { withRig, type Rig } from "../rig.ts";

const HEAD = "HTTP/1.1 200 OK\r\nConnection: X-Hop, some-hop\r\nTransfer-Encoding: chunked\r\n\r\n";

/** One answer of a backend with these trailer lines, and how the client got it. */
const relay = async (rig: Rig, asked: string, method = "GET"): Promise<Message> => {
  const client = await rig.client();
  client.send(`${method} / HTTP/1.1\r\nHost: a\r\n${asked}\r\n`);
  return client.response(method);
};

test("every rule about the trailers of a response", () => {
  let lines = "";
  return withRig(
    answering(() => `${HEAD}3\r\nabc\r\n0\r\n${lines}\r\n`),
    async (rig) => {
      for (const [name, sent, , expected] of TRAILER_CASES) {
        lines = sent;
        const client = await rig.client();
        client.send("GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\n\r\n");
        if (expected === "bad") {
          await client.left();
          assert.not.ok(client.unread.includes("\r\n0\r\n"), `${name}: cut, not ended`);
        } else {
          const response = await client.response();
          assert.is(response.body.toString(), "abc", name);
          const seen = response.trailers.map(([key, value]) => `${key}: ${value}`.trim());
          const whole = expected.split("\r\n").filter((line) => line !== "");
          assert.equal(seen, whole, name);
        }
        client.reset();
      }
    },
  );
});

test("trailers go only to those who can take them", () =>
  withRig(
    answering(() => `${HEAD}3\r\nabc\r\n0\r\nA: b\r\n\r\n`),
    async (rig) => {
      const given = [["A", "b"]];
      assert.equal((await relay(rig, "TE: trailers\r\n")).trailers, given);
      assert.equal((await relay(rig, "TE: deflate, Trailers\r\n")).trailers, given);
      assert.equal((await relay(rig, "TE: trailers\r\nConnection: TE\r\n")).trailers, given);
      for (const asked of ["", "TE: deflate\r\n", "TE: trailers;q=1\r\n", "Trailer: A\r\n"]) {
        assert.equal((await relay(rig, asked)).trailers, [], asked);
      }
      const old = await rig.client();
      old.send("GET / HTTP/1.0\r\nHost: a\r\nTE: trailers\r\n\r\n");
      const answer = await old.response();
      assert.equal([answer.framing, answer.body.toString()], ["close", "abc"]);
    },
  ));

test("trailers that come later, in pieces, still go behind the body", () =>
  withRig(
    async (peer) => {
      await peer.head();
      await peer.sendPieces(`${HEAD}3\r\nabc\r\n0\r\nA: b\r\nX-Hop: 1\r\nC: d\r\n\r\n`, 1);
    },
    async (rig) => {
      const { body, trailers } = await relay(rig, "TE: trailers\r\n");
      assert.is(body.toString(), "abc");
      assert.equal(trailers, [
        ["A", "b"],
        ["C", "d"],
      ]);
    },
  ));

test("every rule about the trailers of a request", () =>
  withRig(echo, async (rig) => {
    for (const [name, lines, expected] of TRAILER_CASES) {
      const client = await rig.client();
      client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
      client.send(`3\r\nabc\r\n0\r\n${lines}\r\n`);
      const response = await client.response();
      assert.is(statusOf(response), expected === "good" ? 200 : 400, name);
      if (expected === "good") assert.is(echoed(response).body, "abc", name);
      else assert.is(await client.left(), "fin", name);
      client.reset();
    }
    for (const peer of rig.origin.peers) {
      assert.not.match(peer.unread.toString("latin1"), /\r\n0\r\n/, "a broken body never ends");
    }
  }));

test.run();
