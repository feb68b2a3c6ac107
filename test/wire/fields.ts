/** Header lines through the plane: what is removed, what is added, what cannot be forged. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { REQUEST_FORWARDING, RESPONSE_FORWARDING } from "../../core/http1/test/forwarding.cases.ts";
import { statusOf, valuesOf } from "../message.ts";
import { answering, echo, echoed, sawField } from "../origin.ts";
import type { Message } from "../message.ts";
import { openRig, withRig, type Rig } from "../rig.ts";

const heads: string[] = [];
let rig: Rig;
test.before(() => {
  rig = openRig((peer, index) => {
    const arrived = peer.arrived.bind(peer);
    // The head as it stood on the wire, besides what the echo makes of it.
    peer.arrived = (bytes) => {
      heads.push(bytes.toString("latin1"));
      arrived(bytes);
    };
    return echo(peer, index);
  });
});
test.after(() => rig.stop());

const ask = async (fields: string, host = "shop.example:81"): Promise<Message> => {
  const client = await rig.client();
  client.send(`GET / HTTP/1.1\r\nHost: ${host}\r\n${fields}\r\n`);
  const response = await client.response();
  client.reset();
  assert.is(statusOf(response), 200, fields);
  return response;
};

/** Rows: lines sent, and the names the upstream must not see. */
const REMOVED: readonly (readonly [string, readonly string[]])[] = [
  ["Connection: keep-alive\r\nKeep-Alive: timeout=5\r\n", ["connection", "keep-alive"]],
  ["Proxy-Connection: keep-alive\r\n", ["proxy-connection"]],
  ["TE: trailers, deflate\r\n", ["te"]],
  ["Trailer: X-A\r\n", ["trailer"]],
  [
    "Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABk\r\n",
    ["upgrade", "http2-settings", "connection"],
  ],
  ["HTTP2-Settings: AAMAAABk\r\n", ["http2-settings"]],
  ["Upgrade: foo/2\r\nConnection: upgrade\r\n", ["upgrade", "connection"]],
  ["Upgrade: websocket\r\n", ["upgrade"]],
  ["X-Secret: 1\r\nConnection: x-secret\r\n", ["x-secret"]],
  ["Connection: X-Secret\r\nX-SECRET: 1\r\n", ["x-secret"]],
  ["Connection: Authorization\r\nAuthorization: Basic eA==\r\n", ["authorization"]],
  ["Connection: Sec-WebSocket-Key\r\nSec-WebSocket-Key: eA==\r\n", ["sec-websocket-key"]],
  ["Connection: close\r\nConnection: a , X-Secret\r\nx-secret: 1\r\nX-Secret: 2\r\n", ["x-secret"]],
  ["Forwarded: for=10.0.0.1;host=evil\r\n", ["forwarded"]],
  ["X-Forwarded-Prefix: /evil\r\n", ["x-forwarded-prefix"]],
  [
    "X-Forwarded-Server: evil\r\nX-Forwarded-Uri: /evil\r\n",
    ["x-forwarded-server", "x-forwarded-uri"],
  ],
  [
    "X-Forwarded-Tls-Client-Cert: x\r\nX-Forwarded-Tls-Client-Cert-Info: y\r\n",
    ["x-forwarded-tls-client-cert", "x-forwarded-tls-client-cert-info"],
  ],
  [
    "X-Forwarded-Client-Cert: Subject=evil\r\nssl-client-subject-dn: CN=evil\r\n",
    ["x-forwarded-client-cert", "ssl-client-subject-dn"],
  ],
  ["X_Forwarded_For: 10.0.0.1\r\n", ["x_forwarded_for"]],
  ["X.Forwarded.For: 10.0.0.1\r\n", ["x.forwarded.for"]],
  ["X-Forwarded_Host: evil\r\n", ["x-forwarded_host"]],
  ["X_Real_IP: 10.0.0.1\r\nX~Real~IP: 10.0.0.1\r\n", ["x_real_ip", "x~real~ip"]],
  ["Some_Name: 1\r\n__proto__: 2\r\n", ["some_name", "__proto__"]],
];

for (const [lines, names] of REMOVED) {
  test(`removed: ${names.join(", ")}`, async () => {
    const response = await ask(lines);
    for (const name of names) assert.equal(sawField(response, name), [], name);
    const text = JSON.stringify(echoed(response).fields);
    assert.not.match(text, /evil|10\.0\.0\.1/);
  });
}

/** The lines a peer saw, as they stand there, without its first line. */
const linesIn = (bytes: string): string[] => bytes.slice(0, -4).split("\r\n").slice(1);

for (const [name, first, lines, seen] of REQUEST_FORWARDING) {
  test(`2.7 request: ${name}`, async () => {
    heads.length = 0;
    const client = await rig.client();
    client.send(`${[first, "Host: a", ...lines].join("\r\n")}\r\n\r\n`);
    assert.is(statusOf(await client.response()), 200);
    client.reset();
    const saw = linesIn(heads[0]!);
    for (const line of seen) assert.ok(saw.includes(line), line);
    const hidden = lines.filter((line) => !seen.includes(line));
    for (const line of hidden) assert.not.ok(saw.includes(line), line);
    assert.not.match(heads[0]!, /evil/);
  });
}

test("2.7 every rule about the fields of a response", () => {
  let answer = "";
  return withRig(
    answering(() => answer),
    async (own) => {
      const client = await own.client();
      for (const [name, first, given, seen] of RESPONSE_FORWARDING) {
        answer = `${[first, ...given, "Content-Length: 0"].join("\r\n")}\r\n\r\n`;
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        await client.until(() => client.unread.includes("\r\n\r\n"), "a head");
        const head = client.take(client.unread.indexOf("\r\n\r\n") + 4).toString("latin1");
        assert.ok(head.startsWith("HTTP/1.1 200 OK\r\n"), `${name}: the reason is ours`);
        const lines = linesIn(head).filter((line) => !/^Date: \w{3}, /.test(line));
        assert.equal(lines, [...seen, "Content-Length: 0"], name);
      }
    },
  );
});

test("everything else arrives, in order and byte by byte", async () => {
  const response = await ask("B: 1\r\nA: \x80\xff\r\nCookie: a=1\r\nCookie: b=2\r\nB: 2 \t 3\r\n");
  const sent = ["b", "a", "cookie"];
  const seen = echoed(response).fields.filter(([name]) => sent.includes(name.toLowerCase()));
  assert.equal(seen, [
    ["B", "1"],
    ["A", "\x80\xff"],
    ["Cookie", "a=1"],
    ["Cookie", "b=2"],
    ["B", "2 \t 3"],
  ]);
});

test("the client's address, host, scheme and port are ours to say", async () => {
  const forged =
    "X-Forwarded-For: 10.0.0.1\r\nX-Forwarded-For: 10.0.0.2\r\nx-forwarded-proto: https\r\n" +
    "X-Forwarded-Host: evil\r\nX-FORWARDED-PORT: 443\r\nX-Real-IP: 10.0.0.1\r\n";
  for (const lines of ["", forged]) {
    const response = await ask(lines);
    assert.equal(sawField(response, "x-forwarded-for"), ["127.0.0.1"]);
    assert.equal(sawField(response, "x-real-ip"), ["127.0.0.1"]);
    assert.equal(sawField(response, "x-forwarded-proto"), ["http"]);
    assert.equal(sawField(response, "x-forwarded-host"), ["shop.example:81"]);
    assert.is(sawField(response, "x-forwarded-port").length, 1);
    assert.equal(sawField(response, "host"), ["shop.example:81"]);
  }
});

test("Connection cannot remove what we add", async () => {
  for (const name of ["X-Forwarded-For", "X-Real-IP", "X-Forwarded-Host", "Via"]) {
    const response = await ask(`Connection: ${name}\r\n`);
    assert.is(sawField(response, name.toLowerCase()).length, 1, name);
  }
});

test("a trusted proxy is believed, request by request", () =>
  withRig(
    echo,
    async (own) => {
      const client = await own.client();
      const say = async (fields: string): Promise<Message> => {
        client.send(`GET / HTTP/1.1\r\nHost: shop.example\r\n${fields}\r\n`);
        return client.response();
      };
      const first = await say(
        "X-Forwarded-For: 10.0.0.1, 192.0.2.7\r\nX-Forwarded-Proto: https\r\n" +
          "X-Forwarded-Host: www.example\r\nX-Real-IP: 10.9.9.9\r\nForwarded: for=10.0.0.1\r\n" +
          "ssl-client-verify: SUCCESS\r\nClient-Cert: :eA==:\r\n",
      );
      assert.equal(sawField(first, "x-forwarded-for"), ["10.0.0.1, 192.0.2.7, 127.0.0.1"]);
      assert.equal(sawField(first, "x-real-ip"), ["192.0.2.7"]);
      assert.equal(sawField(first, "x-forwarded-proto"), ["https"]);
      assert.equal(sawField(first, "x-forwarded-host"), ["www.example"]);
      assert.equal(sawField(first, "x-forwarded-port"), ["443"]);
      assert.equal(sawField(first, "forwarded"), []);
      // Certificates are shown to us or to nobody.
      assert.equal(sawField(first, "ssl-client-verify"), []);
      assert.equal(sawField(first, "client-cert"), []);
      const second = await say("");
      assert.equal(sawField(second, "x-forwarded-for"), ["127.0.0.1"]);
      assert.equal(sawField(second, "x-forwarded-proto"), ["http"]);
      assert.equal(sawField(second, "x-forwarded-host"), ["shop.example"]);
      assert.equal(sawField(second, "host"), ["shop.example"]);
    },
    { trusted: ["127.0.0.0/8"] },
  ));

test("a peer outside the trusted ranges is not believed", () =>
  withRig(
    echo,
    async (own) => {
      const client = await own.client();
      client.send("GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 10.0.0.1\r\n\r\n");
      const response = await client.response();
      assert.equal(sawField(response, "x-forwarded-for"), ["127.0.0.1"]);
      assert.equal(sawField(response, "x-forwarded-host"), ["a"]);
    },
    { trusted: ["10.0.0.0/8", "::1"] },
  ));

test("2.4 limits of a request head can be set, and what is accepted is also tried again", () =>
  withRig(
    async (peer, index) => {
      // The first connection dies under its second request, which is sent again elsewhere.
      if (index > 0) return echo(peer, index);
      await peer.request();
      peer.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
      await peer.request();
      peer.shut();
    },
    async (own) => {
      const client = await own.client();
      const big = `GET / HTTP/1.1\r\nHost: a\r\nA: ${"v".repeat(50_000)}\r\n\r\n`;
      client.send(big);
      assert.is(statusOf(await client.response()), 200);
      for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
      client.send(big);
      assert.is(sawField(await client.response(), "a")[0]?.length, 50_000);
      assert.is(own.origin.peers.length, 2);
      client.send(`GET / HTTP/1.1\r\nHost: a\r\n${"A: b\r\n".repeat(16)}\r\n`);
      assert.is(statusOf(await client.response()), 431);
    },
    { limits: { headLineBytes: 100_000, headLines: 16 } },
  ));

test("Via says the hop, behind those before it", async () => {
  assert.equal(sawField(await ask(""), "via"), ["1.1 rind"]);
  const seen = sawField(await ask("Via: 1.0 other\r\n"), "via").join(", ");
  assert.is(seen, "1.0 other, 1.1 rind");
});

test("a request that went around too often is 508", async () => {
  const client = await rig.client();
  client.send(`GET / HTTP/1.1\r\nHost: a\r\n${"Via: 1.1 rind\r\n".repeat(4)}\r\n`);
  assert.is(statusOf(await client.response()), 508);
});

test("Max-Forwards of OPTIONS counts down and ends here", async () => {
  const client = await rig.client();
  client.send("OPTIONS /x HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n\r\n");
  const last = await client.response();
  assert.is(valuesOf(last.fields, "allow").length, 1, "answered here");
  client.send("OPTIONS /x HTTP/1.1\r\nHost: a\r\nMax-Forwards: 7\r\n\r\n");
  assert.equal(sawField(await client.response(), "max-forwards"), ["6"]);
  client.send("GET /x HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n\r\n");
  assert.equal(sawField(await client.response(), "max-forwards"), ["0"]);
});

test("hop-by-hop fields of a response stay here, whatever is nominated", () => {
  const lines = [
    "Connection: keep-alive, X-Hop, content-length",
    "Keep-Alive: timeout=5",
    "Proxy-Connection: keep-alive",
    "Proxy-Authenticate: Basic",
    "Trailer: A",
    "Upgrade: h2c",
    "X-Hop: 1",
    "X_Odd.Name: 3",
    "Content_Length: 9",
    "X-Kept: 2",
    "Set-Cookie: a=1",
    "Set-Cookie: b=2",
    "Content-Length: 3",
  ];
  const answer = `HTTP/1.1 200 OK\r\n${lines.join("\r\n")}\r\n\r\nabc`;
  return withRig(
    answering(() => answer),
    async (own) => {
      const client = await own.client();
      client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
      const response = await client.response();
      const names = response.fields.map(([name]) => name.toLowerCase());
      for (const gone of ["keep-alive", "proxy-connection", "trailer", "upgrade", "x-hop"]) {
        assert.not.ok(names.includes(gone), gone);
      }
      assert.not.ok(names.includes("proxy-authenticate"));
      assert.equal(valuesOf(response.fields, "x-kept"), ["2"]);
      assert.equal(valuesOf(response.fields, "x_odd.name"), ["3"]);
      assert.equal(valuesOf(response.fields, "content_length"), [], "an alias of our framing");
      assert.equal(valuesOf(response.fields, "set-cookie"), ["a=1", "b=2"]);
      assert.is(response.body.toString(), "abc");
    },
  );
});

test("a response cannot be split, and its reason phrase is ours", () => {
  const answer = "HTTP/1.1 200 HTTP/1.1 500 evil\r\nContent-Length: 0\r\n\r\n";
  return withRig(
    answering(() => answer),
    async (own) => {
      const client = await own.client();
      client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
      assert.is((await client.response()).first, "HTTP/1.1 200 OK");
    },
  );
});

test.run();
