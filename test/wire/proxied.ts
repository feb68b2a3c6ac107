/** Clients behind a load balancer that says by a PROXY header whose connections these are. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { BAD_PROXY_HEADER, BAD_REQUEST_LINE } from "../../core/fault.ts";
import { tallied } from "../../core/tally.ts";
import { statusOf, valuesOf } from "../message.ts";
import { echo, echoed } from "../origin.ts";
import { withRig } from "../rig.ts";

const GET = "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 203.0.113.1\r\n\r\n";
const V1 = "PROXY TCP4 192.0.2.9 192.0.2.1 5555 443\r\n";
const V2 = [
  "0d0a0d0a000d0a515549540a21210024",
  `20010db8${"00".repeat(11)}09${"00".repeat(16)}d4311f90`,
]
  .map((hex) => Buffer.from(hex, "hex").toString("latin1"))
  .join("");

test("the client is the one of the header, for all requests of the connection", () =>
  withRig(
    echo,
    async (rig) => {
      const cases = [
        [V1, "192.0.2.9", "443"],
        [V2, "2001:db8::9", "8080"],
        ["PROXY UNKNOWN\r\n", "127.0.0.1", `${rig.port}`],
      ] as const;
      for (const [header, address, port] of cases) {
        const client = await rig.client();
        await client.sendPieces(header + GET + GET, 7);
        for (let i = 0; i < 2; i++) {
          const { fields } = echoed(await client.response());
          assert.equal(valuesOf(fields, "x-forwarded-for"), [address]);
          assert.equal(valuesOf(fields, "x-real-ip"), [address]);
          assert.equal(valuesOf(fields, "x-forwarded-port"), [port]);
        }
        client.shut();
        assert.is(await client.left(), "fin");
      }
    },
    { proxies: ["127.0.0.1"] },
  ));

test("a proxy that sends none is closed without an answer, and counted", () =>
  withRig(
    echo,
    async (rig) => {
      const before = tallied(BAD_PROXY_HEADER);
      const client = await rig.client();
      client.send(GET);
      assert.is(await client.left(), "fin");
      assert.is(client.received, 0);
      assert.is(tallied(BAD_PROXY_HEADER), before + 1);
      assert.is(rig.plane.counts().connections, 0);
    },
    { proxies: ["127.0.0.1"] },
  ));

test("a proxy that looks whether somebody listens, and resets, is nobody's fault", () =>
  withRig(
    echo,
    async (rig) => {
      const before = [BAD_REQUEST_LINE, BAD_PROXY_HEADER].map(tallied);
      // Meanwhile this process does nothing: it accepts what has been reset already.
      const look = `socket.write(${JSON.stringify(V1)}), socket.terminate()`;
      const code = `Bun.connect({ hostname: "127.0.0.1", port: ${rig.port}, socket: {
        data() {}, open(socket) { ${look} } } })`;
      for (let i = 0; i < 5; i++) Bun.spawnSync([process.execPath, "-e", code]);
      const client = await rig.client();
      client.send(V1 + GET);
      assert.is(statusOf(await client.response()), 200);
      assert.equal([BAD_REQUEST_LINE, BAD_PROXY_HEADER].map(tallied), before);
    },
    { proxies: ["127.0.0.1"] },
  ));

test("from anybody else a PROXY header is a bad request", () =>
  withRig(
    echo,
    async (rig) => {
      const client = await rig.client();
      client.send(V1 + GET);
      assert.is(statusOf(await client.response()), 400);
      assert.is(await client.left(), "fin");
      assert.is(rig.origin.peers.length, 0);
    },
    { proxies: ["192.0.2.0/24"] },
  ));

test.run();
