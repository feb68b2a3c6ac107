import { createServer } from "node:net";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { reserve } from "../reserve.ts";

const ANY = { host: "127.0.0.1", port: 0 };

/** A server on a port of its own; `shared` as a worker of another rind would have it. */
async function occupy(shared: boolean): Promise<{ port: number; free: () => Promise<void> }> {
  const server = createServer();
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen({ ...ANY, ...(shared ? { reusePort: true } : {}) }, () => resolve());
  await promise;
  const at = server.address();
  const port = at === null || typeof at === "string" ? 0 : at.port;
  return { port, free: () => new Promise((done) => server.close(() => done())) };
}

for (const shared of [false, true]) {
  test(`a port that is taken is refused, shared=${shared}`, async () => {
    const taken = await occupy(shared);
    const address = { host: "127.0.0.1", port: taken.port };
    assert.equal(await reserve([ANY, address]), { ok: false, address, code: "EADDRINUSE" });
    await taken.free();
    const reserved = await reserve([address]);
    assert.ok(reserved.ok);
    if (reserved.ok) reserved.release();
  });
}

test("port 0 becomes a port that workers can share while it is held", async () => {
  const reserved = await reserve([ANY, ANY]);
  assert.ok(reserved.ok);
  if (!reserved.ok) return;
  const [first, second] = reserved.addresses;
  assert.ok(first!.port > 0);
  assert.is.not(first!.port, second!.port);
  const worker = createServer();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  worker.once("error", reject);
  worker.listen({ ...first!, reusePort: true }, () => resolve());
  await promise;
  worker.close();
  reserved.release();
});

test("an address that this machine does not have is refused by its code", async () => {
  const address = { host: "192.0.2.1", port: 0 };
  assert.equal(await reserve([address]), { ok: false, address, code: "EADDRNOTAVAIL" });
});

test.run();
