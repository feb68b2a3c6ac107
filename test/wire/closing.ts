/** Over TLS the end of an answer is told apart from a cut (RFC 8446 §6.1), as openssl sees it. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { TlsPolicy } from "../../core/model.ts";
import type { Script } from "../origin.ts";
import { turnsUntil } from "../peer.ts";
import { openAuthority } from "../pki.ts";
import { withRig } from "../rig.ts";

const { issue } = openAuthority();
const PAIR = { id: "a", ...issue({ names: ["a.test"] }) };
/** It asks for nothing, but for a look into ClientHellos. */
const POLICY: TlsPolicy = { id: "", minVersion: null, ciphers: "", client: null };
const HEAD = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";
const NOTIFIED = /<<< TLS 1\.\d, Alert \[length 0002\], warning close_notify/;

/** What openssl said of the exchange so far, its own records included. */
let seen = "";

/** An answer as long as its connection; `cut`: it ends with a reset. */
function answers(cut: boolean): Script {
  return async (peer) => {
    await peer.request();
    peer.send(`${HEAD}until the end`);
    await turnsUntil(() => seen.includes("until the end"));
    if (cut) peer.reset();
    else peer.shut();
  };
}

/** One exchange, to its end. */
async function exchange(openssl: string, port: number, request: string): Promise<void> {
  seen = "";
  const to = ["-connect", `127.0.0.1:${port}`, "-servername", "a.test", "-ign_eof", "-msg"];
  const stdio = [new Blob([request]), "pipe", "pipe"] as const;
  const { stdout, stderr } = Bun.spawn([openssl, "s_client", ...to], { stdio: [...stdio] });
  const read = async (stream: ReadableStream<Uint8Array>): Promise<void> => {
    for await (const chunk of stream) seen += Buffer.from(chunk).toString("latin1");
  };
  await Promise.all([read(stdout), read(stderr)]);
}

const REQUESTS = ["GET / HTTP/1.0\r\nHost: a.test\r\n\r\n", "junk\r\n\r\n"];

for (const policy of [null, POLICY]) {
  const way = policy === null ? "by name" : "peeking";
  const hosts = [{ name: "a.test", certificates: ["a"], policy, passthrough: "" }];
  const options = { secure: { fallback: PAIR, certificates: [PAIR], hosts } };

  for (const cut of [false, true]) {
    test(`${way}: an answer ${cut ? "that was cut" : "as it should be"}`, async () => {
      const openssl = Bun.which("openssl");
      if (openssl === null) return console.log("skip: no openssl here");
      await withRig(
        answers(cut),
        async ({ securePort }) => {
          for (const request of cut ? REQUESTS.slice(0, 1) : REQUESTS) {
            await exchange(openssl, securePort, request);
            assert.is(NOTIFIED.test(seen), !cut, seen);
            assert.not.match(seen, /unexpected eof/);
          }
        },
        options,
      );
    });
  }
}

test.run();
