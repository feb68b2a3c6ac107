import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { openSockets } from "../sockets.ts";
import type { Sockets } from "../sockets.ts";
import type { Address } from "../protocol.ts";

const ANY = { host: "127.0.0.1", port: 0 };
/** `O_CLOEXEC` in the flags of /proc/self/fdinfo. */
const CLOEXEC = 0o2_000_000;

/** Sockets for `count` workers, closed whatever happens. */
async function withSockets(
  wanted: readonly Address[],
  count: number,
  body: (sockets: Sockets) => Promise<void>,
): Promise<void> {
  const opened = openSockets(wanted, count);
  if (!opened.ok) throw new Error(opened.code);
  // Elsewhere nobody can hold sockets, and the caller is told why.
  if (opened.sockets === null) return assert.is.not(opened.reason, "");
  try {
    await body(opened.sockets);
  } finally {
    opened.sockets.close();
  }
}

/** What becomes of a connection: "connected", or the system's code. */
function dial({ host, port }: Address): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, host);
    socket.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    socket.on("connect", () => {
      resolve("connected");
      socket.destroy();
    });
  });
}

for (const host of ["127.0.0.1", "::1", "::"]) {
  test(`${host}: nobody connects before a worker's sockets are open, nor after`, () =>
    withSockets([{ host, port: 0 }], 2, async (sockets) => {
      const [address] = sockets.addresses;
      assert.ok(address!.port > 0);
      assert.is(await dial(address!), "ECONNREFUSED");
      sockets.open(1);
      assert.is(await dial(address!), "connected");
      sockets.shut(1);
      assert.is(await dial(address!), "ECONNREFUSED");
      sockets.open(0);
      assert.is(await dial(address!), "connected");
      sockets.close();
      assert.is(await dial(address!), "ECONNREFUSED");
      assert.equal(sockets.of(0), []);
    }));
}

test("while one worker is shut every connection goes to the other", () =>
  withSockets([ANY], 2, async (sockets) => {
    sockets.open(0);
    sockets.open(1);
    sockets.shut(0);
    for (let i = 0; i < 20; i++) assert.is(await dial(sockets.addresses[0]!), "connected");
    sockets.shut(1);
    assert.is(await dial(sockets.addresses[0]!), "ECONNREFUSED");
  }));

test("a worker has one socket for each address, which no other child inherits", () =>
  withSockets([ANY, ANY], 3, async (sockets) => {
    const all = [0, 1, 2].flatMap((worker) => [...sockets.of(worker)]);
    assert.is(new Set(all).size, 6);
    assert.is(sockets.of(3).length, 0);
    for (const fd of all) {
      const flags = /^flags:\s*(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, "utf8"));
      assert.ok((Number.parseInt(flags![1]!, 8) & CLOEXEC) !== 0);
    }
  }));

test("an address where somebody listens is refused, even by one that shares it", () =>
  withSockets([ANY], 1, async (sockets) => {
    const taken = sockets.addresses[0]!;
    sockets.open(0);
    assert.equal(openSockets([ANY, taken], 2), { ok: false, address: taken, code: "EADDRINUSE" });
    // One that was shut is still ours, but nobody else's either.
    sockets.shut(0);
    sockets.open(0);
    assert.is(await dial(taken), "connected");
  }));

test("connections of an earlier rind that are not forgotten yet are not in the way", async () => {
  const before = openSockets([ANY], 1);
  if (!before.ok || before.sockets === null) return;
  const address = before.sockets.addresses[0]!;
  before.sockets.open(0);
  assert.is(await dial(address), "connected");
  before.sockets.close();
  await withSockets([address], 2, async (sockets) => {
    sockets.open(1);
    assert.is(await dial(address), "connected");
  });
});

test("an address that cannot be had is refused by its code", () => {
  for (const [host, code] of [
    ["192.0.2.1", "EADDRNOTAVAIL"],
    ["fe80::1%lo", "EINVAL"],
  ] as const) {
    const address = { host, port: 0 };
    const opened = openSockets([ANY, address], 1);
    if (opened.ok) assert.is(opened.sockets, null);
    else assert.equal(opened, { ok: false, address, code });
  }
});

test.run();
