/** What clients had proved to an authority is worth nothing once their host has another one. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { DEFAULT_POLICY, type TlsPolicy } from "../../core/model.ts";
import { NOTHING } from "../delta.ts";
import { type Visit, visit } from "../handshake.ts";
import { echo } from "../origin.ts";
import { openAuthority } from "../pki.ts";
import { deltaOf, type Rig, type RigOptions, withRig } from "../rig.ts";

const OLD = openAuthority("old");
const NEW = openAuthority("new");
const CLIENT = { names: ["me"], use: "client" } as const;
const BY_OLD = OLD.issue(CLIENT);
const BY_NEW = NEW.issue(CLIENT);
const GET = "GET / HTTP/1.1\r\nHost: lock.test\r\n\r\n";

const SECURE: RigOptions = {
  secure: {
    fallback: OLD.issue({ names: ["fallback.test"] }),
    certificates: [{ id: "lock", ...OLD.issue({ names: ["lock.test"] }) }],
    hosts: [],
  },
};

/** From here on clients of `lock.test` have to be known to `authority`. */
function lock(rig: Rig, authority: typeof OLD): void {
  const base = rig.plane.version;
  const client = { verify: "required", depth: 1, forward: false } as const;
  const policy: TlsPolicy = {
    id: authority === OLD ? "old" : "new",
    minVersion: null,
    ciphers: "",
    client: { authorities: authority.certificate, ...client },
  };
  const [route] = deltaOf([], DEFAULT_POLICY).hosts;
  rig.plane.apply({
    ...NOTHING,
    hosts: [{ ...route!, name: "lock.test", policy: policy.id }],
    secure: [{ name: "lock.test", certificates: ["lock"], policy, passthrough: "" }],
    base,
    version: base + 1,
  });
}

/** The status of an answer to GET, or "" when the connection ends without one. */
async function ask(client: Visit): Promise<string> {
  client.socket.write(GET);
  await client.until(() => client.heard.includes("\r\n\r\n") || client.closed, "an answer");
  const [, status = ""] = /^HTTP\/1.1 (\d+)/.exec(client.heard) ?? [];
  client.heard = "";
  return status;
}

for (const version of ["1.2", "1.3"] as const) {
  test(`neither a connection nor a session outlives its authority, TLS ${version}`, () =>
    withRig(
      echo,
      async (rig) => {
        const asks = { port: rig.securePort, name: "lock.test", version };
        lock(rig, OLD);
        const live = await visit({ ...asks, identity: BY_OLD });
        assert.is(await ask(live), "200");
        const { session } = live;
        assert.ok(session !== undefined, "there is something to come back with");
        const again = await visit({ ...asks, identity: BY_OLD, session });
        assert.is(await ask(again), "200");
        assert.ok(again.met!.resumed, "and it is taken");
        await again.leave();
        lock(rig, NEW);
        const late = await visit({ ...asks, identity: BY_OLD, session });
        if (!late.closed) assert.is(await ask(late), "");
        assert.is(late.met?.resumed ?? false, false);
        assert.is(await ask(live), "421");
        await live.until(() => live.ended, "the end of the connection");
        await live.leave();
        const known = await visit({ ...asks, identity: BY_NEW, session });
        assert.is(await ask(known), "200");
        assert.is(known.met!.resumed, false);
        await known.leave();
      },
      SECURE,
    ));
}

test.run();
