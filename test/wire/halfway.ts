/**
 * Clients that leave, break or twist TLS anywhere in it: between client and plane is somebody who
 * lets so many bytes through and then does harm. Nothing is left behind, and nobody else notices.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { BUG } from "../../core/fault.ts";
import { seedOfRun } from "../../core/http1/test/cuts.cases.ts";
import { Random } from "../../core/random.ts";
import { tallied } from "../../core/tally.ts";
import { statusOf } from "../message.ts";
import { echo } from "../origin.ts";
import { dial, turnsUntil } from "../peer.ts";
import { openAuthority } from "../pki.ts";
import { type Rig, withRig } from "../rig.ts";

const CONNECTIONS = 100;
const AT_ONCE = 50;
/** A handshake and a request from the client are about that long. */
const BYTES_MAX = 900;
const GET = "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n";
const HARMS = ["reset", "fin", "twist", "junk", "silence"] as const;

const SEED = seedOfRun();
console.log(`seed ${SEED} (RIND_SEED=${SEED} runs it again)`);

/** A host with a policy takes a look into each connection. */
const STRICT = { id: "strict", minVersion: "1.3", ciphers: "", client: null } as const;
const CA = openAuthority();
const FALLBACK = CA.issue({ names: ["a.test"] });

/** Lets `bytes` of a client through to `port`, then harms; resolves to where clients come. */
function openHarm(
  port: number,
  bytes: number,
  harm: (typeof HARMS)[number],
): Bun.TCPSocketListener {
  let left = bytes;
  const pass = (far: Bun.Socket, piece: Buffer): void => {
    if (left >= piece.length) {
      left -= piece.length;
      far.write(piece);
      return;
    }
    far.write(piece.subarray(0, left));
    const rest = Buffer.from(piece.subarray(left));
    left = Number.POSITIVE_INFINITY;
    if (harm === "reset") far.terminate();
    else if (harm === "fin") far.shutdown();
    else if (harm === "junk") far.write(Buffer.alloc(2_000, 0x5a));
    else if (harm === "twist") {
      rest[0]! ^= 0x40;
      far.write(rest);
    }
  };
  return Bun.listen<Bun.Socket>({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      async open(near) {
        near.pause();
        const socket = {
          data: (_far: Bun.Socket, answer: Buffer) => void near.write(answer),
          close: () => void near.end(),
          error() {},
        };
        near.data = await Bun.connect({ hostname: "127.0.0.1", port, socket });
        near.resume();
      },
      data: (near, piece) => pass(near.data, piece),
      close: (near) => void near.data?.terminate(),
      error() {},
    },
  });
}

/** One client that comes through harm, asks if it gets that far, and is gone when this resolves. */
async function suffer(rig: Rig, random: Random): Promise<void> {
  const harm = HARMS[random.below(HARMS.length)]!;
  const listener = openHarm(rig.securePort, random.below(BYTES_MAX), harm);
  const version = random.below(2) === 0 ? 0x0303 : 0x0304;
  const tls = { rejectUnauthorized: false, minVersion: version, maxVersion: version };
  const came = await dial(listener.port, "127.0.0.1", undefined, tls).catch(
    (error: Error) => error,
  );
  if (!(came instanceof Error)) {
    came.send(GET);
    await came.until(() => came.ending !== "open" || came.unread.length > 0, "an end");
    came.reset();
  }
  listener.stop(true);
}

for (const way of ["by name", "peeking"]) {
  test(`nothing is left of clients that are harmed halfway, ${way}`, () =>
    withRig(
      echo,
      async (rig) => {
        const random = new Random(SEED);
        const bugs = tallied(BUG);
        const steady = await rig.client();
        for (let i = 0; i < CONNECTIONS; i += AT_ONCE) {
          steady.send(GET);
          assert.is(statusOf(await steady.response()), 200);
          await Promise.all(Array.from({ length: AT_ONCE }, () => suffer(rig, random)));
        }
        await turnsUntil(() => rig.plane.counts().connections === 1);
        assert.is(tallied(BUG), bugs);
      },
      {
        secure: {
          fallback: FALLBACK,
          hosts:
            way === "peeking"
              ? [{ name: "p.test", certificates: [], policy: STRICT, passthrough: "" }]
              : [],
        },
        limits: { handshakeMs: 500, firstByteMs: 500, headMs: 500 },
      },
    ));
}

test.run();
