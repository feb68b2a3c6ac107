/** What the C library is asked for, seen from outside. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { acceptWithBytes, duplicateOf, openLibc, unackedBy } from "../libc.ts";

/** More than any pipe holds. */
const LINES = 20_000;

/** A process whose log nobody reads. */
const TALKER = `
import { log } from ${JSON.stringify(join(import.meta.dir, "../log.ts"))};
import { neverWait, openLibc } from ${JSON.stringify(join(import.meta.dir, "../libc.ts"))};
const opened = openLibc();
if (opened.ok) neverWait(opened.libc, 2);
for (let i = 0; i < ${LINES}; i++) log("info", "a line of the usual length, more or less");
console.log("done");
`;

/** Reads what the process said only when it is through with saying it, or after ten seconds. */
const PIPELINE = `"$0" -e "$1" 2>&1 >"$2" | {
  for i in $(seq 100); do [ -s "$2" ] && break; sleep 0.1; done
  cat "$2"
  wc -l
}`;

const native = openLibc().ok ? test : test.skip;
if (!openLibc().ok) console.log("skip: no libc that rind knows");

native("a log that nobody reads stops nobody", async () => {
  const folder = mkdtempSync(join(tmpdir(), "rind-test-"));
  const args = ["sh", "-c", PIPELINE, process.execPath, TALKER, join(folder, "done")];
  const child = Bun.spawn(args, { stdio: ["ignore", "pipe", "inherit"] });
  const [done, lines] = (await new Response(child.stdout).text()).split("\n");
  assert.is(done, "done");
  assert.ok(Number(lines) > 100 && Number(lines) < LINES, `${lines} lines`);
  rmSync(folder, { recursive: true });
});

native("what a peer has no room for is told as not acknowledged, until it reads", async () => {
  const unacked = unackedBy();
  const opened = Promise.withResolvers<Bun.Socket & { fd: number }>();
  const listener = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: { open: (socket) => opened.resolve(socket as Bun.Socket & { fd: number }), data() {} },
  });
  const { port } = listener;
  const reader = await Bun.connect({ hostname: "127.0.0.1", port, socket: { data() {} } });
  reader.pause();
  const socket = await opened.promise;
  const taken = socket.write(Buffer.alloc(64 * 1_048_576));
  const waits = unacked(socket.fd);
  assert.ok(waits > 0 && waits <= taken, `${waits} of ${taken}`);
  reader.resume();
  while (unacked(socket.fd) > 0) await Bun.sleep(1);
  socket.terminate();
  assert.is(unacked(socket.fd), 0, "a closed socket is no error");
  listener.stop(true);
});

native(
  "a socket goes on listening by its second descriptor, with what waits in its queue",
  async () => {
    const socket = { data() {}, open: (it: Bun.Socket) => void it.end("first") };
    const first = Bun.listen({ hostname: "127.0.0.1", port: 0, socket });
    const { port } = first;
    const fd = duplicateOf((first as typeof first & { fd: number }).fd);
    assert.ok(fd !== null);
    first.stop();
    const said = Promise.withResolvers<string>();
    const client = { data: (_it: Bun.Socket, bytes: Buffer) => said.resolve(String(bytes)) };
    await Bun.connect({ hostname: "127.0.0.1", port, socket: client });
    const next = { data() {}, open: (it: Bun.Socket) => void it.end("second") };
    const options = { fd, hostname: "127.0.0.1", port, socket: next };
    const second = Bun.listen(options);
    assert.is(await said.promise, "second");
    second.stop(true);
    assert.is(duplicateOf(-1), null);
  },
);

native("a listener may wait for first bytes, and serves who sends them", async () => {
  const first = Promise.withResolvers<string>();
  const data = (_: Bun.Socket, bytes: Buffer): void => first.resolve(String(bytes));
  const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data } });
  assert.is(acceptWithBytes((listener as typeof listener & { fd: number }).fd), true);
  const open = (it: Bun.Socket): void => void it.write("hello");
  const to = { hostname: "127.0.0.1", port: listener.port };
  const client = await Bun.connect({ ...to, socket: { data() {}, open } });
  assert.is(await first.promise, "hello");
  client.terminate();
  listener.stop(true);
  assert.is(acceptWithBytes(-1), false);
});

test.run();
