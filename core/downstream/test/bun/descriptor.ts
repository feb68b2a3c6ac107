/** A listening socket outlives the listener it was made by: how a worker changes how it listens. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { metName, visit, type Visit } from "../../../../test/handshake.ts";
import { openAuthority } from "../../../../test/pki.ts";
import { openLibc } from "../../../libc.ts";
import { contextOf, openBySni } from "./fixture.ts";

const F_DUPFD_CLOEXEC = 1_030;
const { issue } = openAuthority();
const [OLD, NEW] = ["old", "new"].map((name) => contextOf([issue({ names: [name] })]));

test("a copy of its descriptor goes on where a listener stopped, and loses nobody", async () => {
  const opened = openLibc();
  if (!opened.ok) return console.log(`skip: no C library: ${opened.reason}`);
  const first = openBySni({ context: OLD! });
  const stays = await visit({ port: first.port });
  assert.is(await stays.echo("hello"), "hello");
  const copy = opened.libc.fcntl(first.fd, F_DUPFD_CLOEXEC, 0);
  assert.ok(copy > 2, `${copy}`);
  first.stop(false);
  // Nobody accepts now; the kernel does, and keeps them.
  const waiting: Promise<Visit>[] = [1, 2, 3].map(() => visit({ port: first.port }));
  await Bun.sleep(0);
  const second = openBySni({ context: NEW!, fd: copy });
  for (const visitor of await Promise.all(waiting)) {
    assert.is(metName(visitor), "new");
    assert.is(await visitor.echo("hello"), "hello");
    await visitor.leave();
  }
  assert.is(await stays.echo("still here"), "still here");
  assert.is(metName(stays), "old");
  await stays.leave();
  second.stop();
  assert.is((await visit({ port: first.port })).refusal, "ECONNREFUSED");
});

test.run();
