/** Whether anybody listens: over sockets, since that is all it is about. */
import { readFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { openOrigin, type Script } from "../../../test/origin.ts";
import { openLibc, type Libc } from "../../libc.ts";
import { KNOCKS_MAX } from "../../limits.ts";
import { openSockets } from "../../sockets.ts";
import { knock } from "../connect.ts";

const stays: Script = async (peer) => {
  await peer.left();
  peer.shut();
};
const greets: Script = async (peer) => {
  peer.send("220 who are you\r\n");
  await stays(peer, 0);
};
const resets: Script = async (peer) => peer.reset();
const ends: Script = async (peer) => peer.shut();

/** Knocks, and resolves with the outcome; more than one outcome is an error. */
function ask(address: string, port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    let told = false;
    let returned = false;
    knock({
      address,
      port,
      knocked: (open) => {
        if (told || !returned) reject(new Error(told ? "told twice" : "told too early"));
        told = true;
        // A second outcome would come with the close that follows.
        setImmediate(() => setImmediate(() => resolve(open)));
      },
      broken: () => reject(new Error("broken")),
    });
    returned = true;
  });
}

const SCRIPTS: readonly (readonly [string, Script, open: boolean])[] = [
  ["keeps the connection", stays, true],
  ["speaks first", greets, true],
  ["resets it at once", resets, false],
  ["ends it at once", ends, false],
];

for (const [what, script, open] of SCRIPTS) {
  test(`an endpoint that ${what}: ${open ? "open" : "closed"}`, async () => {
    const origin = openOrigin(script);
    try {
      assert.is(await ask(origin.address, origin.port), open);
      if (open) await origin.peers[0]!.left();
    } finally {
      origin.stop();
    }
  });
}

test("many knocks at once: a few hundred at a time, and each is answered", async () => {
  let most = 0;
  let now = 0;
  const origin = openOrigin(async (peer) => {
    most = Math.max(most, ++now);
    await peer.left();
    now--;
    peer.shut();
  });
  try {
    const answers = await Promise.all(
      Array.from({ length: 1_200 }, () => ask(origin.address, origin.port)),
    );
    assert.is(answers.filter((open) => open).length, 1_200);
    // The origin learns of an end a moment after the next one has begun.
    assert.ok(most <= 2 * KNOCKS_MAX, `${most}`);
  } finally {
    origin.stop();
  }
});

test("nobody listens, or there is no such address: closed", async () => {
  const origin = openOrigin(stays);
  origin.stop();
  assert.is(await ask(origin.address, origin.port), false);
  assert.is(await ask("127.0.0.1", 65_536), false);
});

/** A listener whose queue is full: the kernel drops whoever comes, until `accept`. */
async function openFull(libc: Libc): Promise<Readonly<{ port: number; accept: () => void }>> {
  const held = openSockets([{ host: "127.0.0.1", port: 0 }], 1);
  if (!held.ok || held.sockets === null) throw new Error("a free port can be listened on");
  const { port } = held.sockets.addresses[0]!;
  const fd = held.sockets.of(0)[0]!;
  libc.listen(fd, 0);
  const socket = { data() {}, connectError() {} };
  const first = await Bun.connect({ hostname: "127.0.0.1", port, socket });
  const accept = (): void => {
    first.end();
    const options = { fd, socket: { data() {} } };
    Bun.listen(options as unknown as Bun.TCPSocketListenOptions<undefined>).unref();
  };
  return { port, accept };
}

/** How many connections to a port are on their way: SYN_SENT in the kernel's table. */
function dialling(port: number): number {
  const to = port.toString(16).toUpperCase().padStart(4, "0");
  const lines = readFileSync("/proc/net/tcp", "latin1").split("\n");
  return lines.filter((line) => line.includes(`:${to} 02 `)).length;
}

const opened = openLibc();
if (!opened.ok) console.log("skip: no libc that rind knows");

(opened.ok ? test : test.skip)("a dial on its way serves the next knock as well", async () => {
  const { port, accept } = await openFull((opened as { libc: Libc }).libc);
  let outcome = (_open: boolean): void => {};
  const knocker = {
    address: "127.0.0.1",
    port,
    knocked: (open: boolean) => outcome(open),
    broken: () => {},
  };
  const again = (): Promise<boolean> =>
    new Promise((resolve) => {
      outcome = resolve;
      knock(knocker);
    });
  assert.is(await again(), false, "nothing in its time");
  const second = again();
  assert.is(dialling(port), 1);
  accept();
  assert.is(await second, true);
});

test.run();
