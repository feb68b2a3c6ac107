/** Behind a real load balancer, where one is installed: HAProxy, as the protocol is its own. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { BAD_PROXY_HEADER } from "../../core/fault.ts";
import { tallied } from "../../core/tally.ts";
import { valuesOf } from "../message.ts";
import { echo, echoed } from "../origin.ts";
import { dial, freePort } from "../peer.ts";
import { withRig } from "../rig.ts";

const HAPROXY = Bun.which("haproxy", { PATH: `${process.env["PATH"] ?? ""}:/usr/sbin` });
if (HAPROXY === null) console.log("skip: haproxy is not installed");
const installed = HAPROXY === null ? test.skip : test;

const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const CLIENT = "127.0.0.77";
/** What HAProxy says of its client, by the options of its server line. */
const KINDS = [
  "send-proxy",
  "send-proxy-v2",
  "send-proxy-v2 proxy-v2-options crc32c,unique-id",
  "send-proxy-v2 check check-send-proxy inter 100ms",
];
const STARTED_MS_MAX = 10_000;

function configuration(ports: readonly number[], to: number): string {
  const proxies = KINDS.map(
    (kind, i) =>
      `listen l${i}\n bind 127.0.0.1:${ports[i]}\n unique-id-format %pid-%rt\n` +
      ` server s 127.0.0.1:${to} ${kind}\n`,
  );
  const times = " timeout connect 5s\n timeout client 20s\n timeout server 20s\n";
  return `defaults\n mode tcp\n${times}${proxies.join("")}`;
}

/** Connects from the client's address, once somebody listens there. */
async function reach(port: number): Promise<Awaited<ReturnType<typeof dial>>> {
  const began = performance.now();
  for (;;) {
    try {
      return await dial(port, "127.0.0.1", CLIENT);
    } catch (error) {
      if (performance.now() - began > STARTED_MS_MAX) throw error;
      await Bun.sleep(20);
    }
  }
}

installed("what HAProxy says of its clients is understood, in every form of it", () =>
  withRig(
    echo,
    async (rig) => {
      const folder = mkdtempSync(join(tmpdir(), "rind-haproxy-"));
      const file = join(folder, "haproxy.cfg");
      const ports = KINDS.map(freePort);
      writeFileSync(file, configuration(ports, rig.port));
      const before = tallied(BAD_PROXY_HEADER);
      const child = Bun.spawn([HAPROXY!, "-db", "-q", "-f", file], {
        stdio: ["ignore", "ignore", "ignore"],
      });
      try {
        for (const [i, kind] of KINDS.entries()) {
          const client = await reach(ports[i]!);
          client.send(GET);
          const { fields } = echoed(await client.response());
          assert.equal(valuesOf(fields, "x-forwarded-for"), [CLIENT], kind);
          assert.equal(valuesOf(fields, "x-forwarded-port"), [`${ports[i]}`], kind);
          client.reset();
        }
        // Its health checks are its own connections, and nobody's fault.
        assert.is(tallied(BAD_PROXY_HEADER), before);
      } finally {
        child.kill();
        await child.exited;
        rmSync(folder, { recursive: true });
      }
    },
    { proxies: ["127.0.0.1"] },
  ),
);

test.run();
