/** One connection, many exchanges: persistence, order, and messages without a body. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { statusOf, valuesOf } from "../message.ts";
import { answering, echo, echoed, respond } from "../origin.ts";
import { standstill } from "../peer.ts";
import { withRig } from "../rig.ts";

const get = (path: string, fields = ""): string =>
  `GET ${path} HTTP/1.1\r\nHost: a\r\n${fields}\r\n`;

test("a connection is used again, downstream and upstream", () =>
  withRig(echo, async (rig) => {
    const client = await rig.client();
    for (let i = 0; i < 5; i++) {
      client.send(get(`/${i}`));
      assert.is(echoed(await client.response()).first, `GET /${i} HTTP/1.1`);
    }
    assert.is(client.ending, "open");
    assert.is(rig.origin.peers.length, 1);
  }));

test("clients share a pooled upstream connection one after the other", () =>
  withRig(echo, async (rig) => {
    for (let i = 0; i < 4; i++) {
      const client = await rig.client();
      client.send(get(`/${i}`));
      assert.is(statusOf(await client.response()), 200);
      client.shut();
      assert.is(await client.left(), "fin");
    }
    assert.is(rig.origin.peers.length, 1);
  }));

test("pipelined requests are answered in order, also behind a slow one", () => {
  let release = (): void => {};
  const slow = new Promise<void>((resolve) => (release = resolve));
  return withRig(
    async (peer) => {
      for (;;) {
        const request = await peer.request();
        if (request === null) return peer.shut();
        if (request.first.includes("/0 ")) await slow;
        peer.send(respond(200, request.first));
      }
    },
    async (rig) => {
      const client = await rig.client();
      client.send(Array.from({ length: 20 }, (_, i) => get(`/${i}`)).join(""));
      release();
      for (let i = 0; i < 20; i++) {
        assert.is((await client.response()).body.toString(), `GET /${i} HTTP/1.1`);
      }
      // A connection settles for a moment before it carries the next request.
      assert.ok(rig.origin.peers.length <= 3, `${rig.origin.peers.length} upstream connections`);
    },
  );
});

test("nothing is taken off a connection behind a request that says close", () =>
  withRig(echo, async (rig) => {
    const client = await rig.client();
    client.send(get("/1", "Connection: close\r\n") + get("/2"));
    const response = await client.response();
    assert.equal(valuesOf(response.fields, "connection"), ["close"]);
    assert.is(await client.left(), "fin");
    assert.is(client.unread.length, 0);
  }));

test("a request behind a bad one is never looked at", () =>
  withRig(echo, async (rig) => {
    const client = await rig.client();
    client.send(get("/1") + "GET /2\r\n\r\n" + get("/3"));
    assert.is(statusOf(await client.response()), 200);
    assert.is(statusOf(await client.response()), 400);
    assert.is(await client.left(), "fin");
    assert.is(client.unread.length, 0);
  }));

test("1000 pipelined requests are all answered", () =>
  withRig(echo, async (rig) => {
    const client = await rig.client();
    client.send(get("/", `X: ${"v".repeat(200)}\r\n`).repeat(1000));
    for (let i = 0; i < 1000; i++) assert.is(statusOf(await client.response()), 200);
    assert.ok(rig.origin.peers.length <= 3, `${rig.origin.peers.length} upstream connections`);
  }));

test("requests in single bytes are requests", () =>
  withRig(echo, async (rig) => {
    const client = await rig.client();
    const post = "POST /p HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    await client.sendPieces(`${post}3\r\nabc\r\n0\r\n\r\n${get("/g")}`, 1);
    const first = echoed(await client.response());
    assert.equal([first.first, first.body], ["POST /p HTTP/1.1", "abc"]);
    assert.is(echoed(await client.response()).first, "GET /g HTTP/1.1");
  }));

const BODILESS: readonly (readonly [string, string, string])[] = [
  ["HEAD with a length", "HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"],
  ["HEAD with chunked", "HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"],
  ["HEAD without framing", "HEAD", "HTTP/1.1 200 OK\r\n\r\n"],
  ["204", "GET", "HTTP/1.1 204 No Content\r\n\r\n"],
  ["204 with a length", "GET", "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n"],
  ["304", "GET", "HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n"],
  ["304 with a length", "GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"],
  ["304 with chunked", "GET", "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n"],
  ["length 0", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"],
];

for (const [name, method, answer] of BODILESS) {
  test(`no body: ${name}; the connection goes on on both sides`, () =>
    withRig(
      answering(() => answer),
      async (rig) => {
        const client = await rig.client();
        for (let i = 0; i < 3; i++) {
          client.send(`${method} / HTTP/1.1\r\nHost: a\r\n\r\n`);
          const response = await client.response(method);
          assert.is(response.first.slice(9, 12), answer.slice(9, 12));
          const kept = name.startsWith("204") ? [] : /Content-Length: \d/.exec(answer)?.slice(0, 1);
          const lengths = valuesOf(response.fields, "content-length");
          assert.equal(
            lengths.map((length) => `Content-Length: ${length}`),
            kept ?? [],
          );
          assert.is(client.unread.length, 0);
        }
        assert.is(rig.origin.peers.length, 1);
      },
    ));
}

test("interim responses reach a 1.1 client, 100 is swallowed", () => {
  const interim = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
  const answer = `HTTP/1.1 100 Continue\r\n\r\n${interim}${respond(200, "x")}`;
  return withRig(
    answering(() => answer),
    async (rig) => {
      const client = await rig.client();
      client.send(get("/"));
      const hints = await client.response();
      assert.is(statusOf(hints), 103);
      assert.equal(valuesOf(hints.fields, "link"), ["</a>"]);
      assert.is((await client.response()).body.toString(), "x");
    },
  );
});

test("interim responses never reach a 1.0 client", () => {
  const answer = `HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${respond(200, "x")}`;
  return withRig(
    answering(() => answer),
    async (rig) => {
      const client = await rig.client();
      client.send("GET / HTTP/1.0\r\nHost: a\r\n\r\n");
      assert.is(statusOf(await client.response()), 200);
    },
  );
});

test("more than 32 interim responses are 502", () => {
  const answer = "HTTP/1.1 102 Processing\r\n\r\n".repeat(40) + respond(200, "x");
  return withRig(
    answering(() => answer),
    async (rig) => {
      const client = await rig.client();
      client.send(get("/"));
      let response = await client.response();
      let interim = 0;
      for (; statusOf(response) === 102; interim++) response = await client.response();
      assert.is(statusOf(response), 502);
      assert.ok(interim <= 32, `${interim} interim responses`);
    },
  );
});

test("100-continue is answered here and stripped", () =>
  withRig(echo, async (rig) => {
    const client = await rig.client();
    const fields = "Expect: 100-continue\r\nContent-Length: 3\r\n";
    client.send(`POST / HTTP/1.1\r\nHost: a\r\n${fields}\r\n`);
    assert.is(statusOf(await client.response()), 100);
    client.send("abc");
    const seen = echoed(await client.response());
    assert.is(seen.body, "abc");
    assert.equal(valuesOf(seen.fields, "expect"), []);
  }));

test("no 100 when the body is here already, on 1.0, or without a body", () =>
  withRig(echo, async (rig) => {
    const expect = "Host: a\r\nExpect: 100-continue\r\n";
    for (const bytes of [
      `POST / HTTP/1.1\r\n${expect}Content-Length: 3\r\n\r\nabc`,
      `POST / HTTP/1.0\r\n${expect}Content-Length: 3\r\n\r\nabc`,
      `GET / HTTP/1.1\r\n${expect}\r\n`,
      `POST / HTTP/1.1\r\n${expect}Content-Length: 0\r\n\r\n`,
    ]) {
      const client = await rig.client();
      client.send(bytes);
      assert.is(statusOf(await client.response()), 200, bytes);
      client.reset();
    }
  }));

test("a 1.0 client gets a length or the end of the connection, never chunked", () => {
  const chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
  return withRig(
    answering(() => chunked),
    async (rig) => {
      for (const fields of ["", "Connection: keep-alive\r\n"]) {
        const client = await rig.client();
        client.send(`GET / HTTP/1.0\r\nHost: a\r\n${fields}\r\n`);
        const response = await client.response();
        assert.equal([response.framing, response.body.toString()], ["close", "abc"]);
        assert.equal(valuesOf(response.fields, "transfer-encoding"), []);
      }
      assert.is(rig.origin.peers.length, 1, "the upstream connection was good to keep");
    },
  );
});

test("a 1.0 client keeps its connection only when it asks and the answer has a length", () =>
  withRig(
    answering(() => respond(200, "abc")),
    async (rig) => {
      const keep = await rig.client();
      for (let i = 0; i < 3; i++) {
        keep.send("GET / HTTP/1.0\r\nHost: a\r\nConnection: Keep-Alive\r\n\r\n");
        const response = await keep.response();
        const connection = valuesOf(response.fields, "connection").map((it) => it.toLowerCase());
        assert.equal(connection, ["keep-alive"]);
      }
      const close = await rig.client();
      close.send("GET / HTTP/1.0\r\nHost: a\r\n\r\n");
      assert.is((await close.response()).body.toString(), "abc");
      assert.is(await close.left(), "fin");
    },
  ));

test("a client that sends FIN behind its request still gets the answer", () =>
  withRig(echo, async (rig) => {
    const client = await rig.client();
    client.send(get("/"));
    client.shut();
    assert.is(statusOf(await client.response()), 200);
    assert.is(await client.left(), "fin");
  }));

test("pipelined requests with FIN behind them are all answered", () =>
  withRig(echo, async (rig) => {
    const client = await rig.client();
    client.send(get("/1") + get("/2") + get("/3"));
    client.shut();
    for (let i = 1; i <= 3; i++) {
      assert.is(echoed(await client.response()).first, `GET /${i} HTTP/1.1`);
    }
    assert.is(await client.left(), "fin");
  }));

test("no 100 when the body is here already, on a pooled connection as well", () =>
  withRig(echo, async (rig) => {
    const client = await rig.client();
    client.send(get("/"));
    assert.is(statusOf(await client.response()), 200);
    const fields = "Expect: 100-continue\r\nContent-Length: 3\r\n";
    client.send(`POST / HTTP/1.1\r\nHost: a\r\n${fields}\r\nabc`);
    assert.is(statusOf(await client.response()), 200);
  }));

test("a client that waits for 100 gets a final answer instead, and must begin anew", () =>
  withRig(
    echo,
    async (rig) => {
      const client = await rig.client();
      const fields = "Expect: 100-continue\r\nContent-Length: 3\r\n";
      client.send(`POST / HTTP/1.1\r\nHost: a\r\n${fields}\r\n`);
      const response = await client.response();
      assert.is(statusOf(response), 503);
      assert.equal(valuesOf(response.fields, "connection"), ["close"]);
      assert.is(await client.left(), "fin");
    },
    { endpoints: () => [] },
  ));

test("pipelined bytes wait in the client when an answer is slow", () => {
  let release = (): void => {};
  const slow = new Promise<void>((resolve) => (release = resolve));
  const request = get("/", `X: ${"v".repeat(10_000)}\r\n`);
  return withRig(
    async (peer) => {
      if ((await peer.request()) === null) return;
      await slow;
      peer.send(respond(200, "first"));
      await answering(() => respond(200, ""))(peer, 0);
    },
    async (rig) => {
      const client = await rig.client();
      client.send(Buffer.from(request.repeat(3_000), "latin1"));
      const sent = await standstill(() => client.sent);
      assert.ok(sent < 12 * 1024 * 1024, `the plane took ${sent} bytes`);
      release();
      assert.is((await client.response()).body.toString(), "first");
      for (let i = 0; i < 20; i++) assert.is(statusOf(await client.response()), 200);
    },
  );
});

/** How a backend that has answered an upload early leaves it: how much is taken, and how. */
const EARLY: readonly (readonly [string, number, "shut" | "reset" | "stay"])[] = [
  ["reads on", 0, "stay"],
  ["closes", 0, "shut"],
  ["resets", 0, "reset"],
  ["resets with much on its way", 1_000_000, "reset"],
];

for (const [name, more, leave] of EARLY) {
  test(`an early answer reaches the client whole, when the backend ${name}`, () => {
    const body = "too large ".repeat(1_000);
    return withRig(
      async (peer) => {
        await peer.head();
        if (more > 0) await peer.until(() => peer.unread.length > more, "a part of the body");
        peer.pause();
        peer.send(respond(413, body));
        await peer.sentAll();
        if (leave !== "stay") peer[leave]();
      },
      async (rig) => {
        const client = await rig.client();
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 50000000\r\n\r\n");
        client.send(Buffer.alloc(2_000_000 + more));
        const response = await client.response();
        assert.equal([statusOf(response), response.body.toString()], [413, body]);
        assert.equal(valuesOf(response.fields, "connection"), ["close"]);
        assert.is.not(await client.left(), "open");
        rig.origin.peers[0]!.resume();
        assert.is.not(await rig.origin.peers[0]!.left(), "open", "not pooled");
      },
    );
  });
}

test("OPTIONS * is answered here", () =>
  withRig(echo, async (rig) => {
    const client = await rig.client();
    client.send(`OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n${get("/")}`);
    const response = await client.response();
    assert.is(statusOf(response), 204);
    assert.is(valuesOf(response.fields, "allow").length, 1);
    assert.is(statusOf(await client.response()), 200, "the connection goes on");
    assert.is(rig.origin.peers.length, 1);
  }));

test("answers of our own to HEAD have no body, and the connection goes on", () =>
  withRig(
    echo,
    async (rig) => {
      const client = await rig.client();
      client.send(`HEAD / HTTP/1.1\r\nHost: a\r\n\r\n${get("/")}`);
      const head = await client.response("HEAD");
      assert.is(statusOf(head), 503);
      const whole = await client.response();
      assert.is(statusOf(whole), 503);
      const length = [String(whole.body.length)];
      assert.equal(valuesOf(head.fields, "content-length"), length, "as GET would say");
      assert.is(client.unread.length, 0);
    },
    { endpoints: () => [] },
  ));

test("a refusal is short, plain and says close", () =>
  withRig(echo, async (rig) => {
    const client = await rig.client();
    client.send("GET /\r\n\r\n");
    const response = await client.response();
    assert.equal(valuesOf(response.fields, "connection"), ["close"]);
    assert.match(valuesOf(response.fields, "content-type")[0] ?? "", /^text\/plain/);
    assert.is(response.framing, "length");
  }));

test.run();
