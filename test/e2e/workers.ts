/** Workers come and go; clients notice as little of it as can be. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { startLoad } from "./load.ts";
import { alive, get, manifestsOf, pidsOf, until, withRind } from "./program.ts";
import type { Program } from "./program.ts";

const HOST = "quick.example";

const workers = suite("workers");
let origin: Server;
let folder = "";

workers.before(async () => {
  origin = createServer({ keepAliveTimeout: 60_000 }, (_request, response) => {
    response.setHeader("content-length", "2").end("ok");
  });
  await new Promise<void>((listening) => origin.listen(0, "127.0.0.1", () => listening()));
  const at = origin.address();
  const port = at === null || typeof at === "string" ? 0 : at.port;
  folder = mkdtempSync(join(tmpdir(), "rind-e2e-"));
  writeFileSync(join(folder, "quick.json"), manifestsOf("quick", port));
});

workers.after(() => {
  origin.close();
  origin.closeAllConnections();
  rmSync(folder, { recursive: true });
});

function run(count: number, ...more: string[]): readonly string[] {
  return ["run", "--manifests", folder, "--workers", String(count), ...more];
}

/** All workers serve, and none of them is one of `before`. */
async function renewed(rind: Program, before: readonly number[]): Promise<boolean> {
  const { ready, workers: now } = await rind.readiness();
  return ready && now.every(({ pid, serving }) => serving && !before.includes(pid));
}

workers("SIGHUP replaces every worker, three times, and no request fails", () =>
  withRind(run(2, "--drain", "10s"), async (rind) => {
    const kept = startLoad(rind.port, HOST, { count: 4, keep: true });
    const fresh = startLoad(rind.port, HOST, { count: 4, keep: false });
    for (let round = 0; round < 3; round++) {
      const before = await pidsOf(rind);
      const [keptThen, freshThen] = [kept.answered(), fresh.answered()];
      process.kill(rind.pid, "SIGHUP");
      await until("all workers are new", () => renewed(rind, before));
      await until("the old ones are gone", () => before.every((pid) => !alive(pid)));
      await until("both loads went on", () => {
        return kept.answered() > keptThen + 50 && fresh.answered() > freshThen + 50;
      });
    }
    await Promise.all([kept.stop(), fresh.stop()]);
    assert.equal([...kept.failures, ...fresh.failures], []);
  }),
);

workers("kill -9 of a worker costs its own connections, and refuses none", () =>
  withRind(run(2), async (rind) => {
    const fresh = startLoad(rind.port, HOST, { count: 8, keep: false });
    await until("the load runs", () => fresh.answered() > 100);
    const before = await pidsOf(rind);
    process.kill(before[0]!, "SIGKILL");
    await until("another worker took its place", () => renewed(rind, [before[0]!]));
    const then = fresh.answered();
    await until("the load went on", () => fresh.answered() > then + 100);
    await fresh.stop();
    // At most what each client had under way there; each of them was accepted already.
    assert.ok(fresh.failures.length <= 8, JSON.stringify(fresh.failures));
    for (const { code } of fresh.failures) assert.is.not(code, "ECONNREFUSED");
    assert.is((await pidsOf(rind))[1], before[1]);
  }),
);

workers("who connects while the only worker is dead waits for the next, and is answered", () =>
  withRind(run(1), async (rind) => {
    for (let round = 0; round < 2; round++) {
      const [victim] = await pidsOf(rind);
      // Stopped first: whatever comes now waits in the queue of its socket.
      process.kill(victim!, "SIGSTOP");
      const answers = Array.from({ length: 20 }, () => get(rind.port, HOST, "/"));
      await until("they are connected", () => queued(rind.port) >= 20);
      process.kill(victim!, "SIGKILL");
      for (const { status } of await Promise.all(answers)) assert.is(status, 200);
    }
  }),
);

workers("while a worker that keeps dying is away, the other one gets every connection", () =>
  withRind(run(2), async (rind) => {
    for (let crash = 0; crash < 3; crash++) {
      const [victim] = await pidsOf(rind);
      process.kill(victim!, "SIGKILL");
      await until("it is back, or away for longer", async () => {
        return listening(rind.port) === 1 || (await renewed(rind, [victim!]));
      });
    }
    assert.is(listening(rind.port), 1);
    for (let i = 0; i < 20; i++) assert.is((await get(rind.port, HOST, "/")).status, 200);
    assert.is((await pidsOf(rind))[0], 0);
    await until("it is back", () => renewed(rind, [0]));
    assert.is(listening(rind.port), 2);
    for (let i = 0; i < 20; i++) assert.is((await get(rind.port, HOST, "/")).status, 200);
  }),
);

workers("no worker survives a supervisor that was killed, not even a stuck one", () =>
  withRind(run(2), async (rind) => {
    const pids = await pidsOf(rind);
    process.kill(pids[0]!, "SIGSTOP");
    process.kill(rind.pid, "SIGKILL");
    await rind.exited;
    await until("no worker is left", () => pids.every((pid) => !alive(pid)));
  }),
);

workers("a lame duck says that it is not ready, serves everybody, and then ends", () =>
  withRind(run(2, "--lame-duck", "1s"), async (rind) => {
    const fresh = startLoad(rind.port, HOST, { count: 2, keep: false });
    await until("the load runs", () => fresh.answered() > 20);
    process.kill(rind.pid, "SIGTERM");
    await until("it is not ready", async () => !(await rind.readiness()).ready);
    const then = fresh.answered();
    await until("new connections are served", () => fresh.answered() > then + 50);
    await fresh.stop();
    assert.equal(fresh.failures, []);
    assert.is((await rind.readiness()).reason, "draining");
    assert.is(await rind.exited, 0);
  }),
);

workers("SIGINT does not wait for load balancers", () =>
  withRind(run(1, "--lame-duck", "1h"), async (rind) => {
    process.kill(rind.pid, "SIGINT");
    assert.is(await rind.exited, 0);
  }),
);

workers("a second SIGTERM does not wait for the lame duck", () =>
  withRind(run(1, "--lame-duck", "1h"), async (rind) => {
    process.kill(rind.pid, "SIGTERM");
    await until("it is not ready", async () => !(await rind.readiness()).ready);
    let code = -1;
    void rind.exited.then((exit) => {
      code = exit;
    });
    // Signals close together count as one: only those that follow later are a second one.
    await until("it is gone", () => {
      if (code < 0) process.kill(rind.pid, "SIGTERM");
      return code >= 0;
    });
    assert.is(code, 130);
  }),
);

/** Connections that wait to be accepted on a port of this machine, over all sockets. */
function queued(port: number): number {
  return queuesOf(port).reduce((sum, queue) => sum + queue, 0);
}

/** Sockets that listen on it. */
function listening(port: number): number {
  return queuesOf(port).length;
}

/** The length of the queue of each listening socket. */
function queuesOf(port: number): number[] {
  const local = `0100007F:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const queues: number[] = [];
  for (const line of readFileSync("/proc/net/tcp", "utf8").split("\n")) {
    const [, address, , state, queue] = line.trim().split(/\s+/);
    // tx_queue:rx_queue; of a listening socket (0A) the second is its queue.
    if (address !== local || state !== "0A") continue;
    queues.push(Number.parseInt(queue!.split(":")[1]!, 16));
  }
  return queues;
}

workers.run();
