/** Which ciphers of TLS 1.2 clients get, as they are and as operators want them. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { TlsSettings } from "../../core/protocol.ts";
import { extension, list16, list8, NAME, records } from "../../core/tls/test/made.ts";
import { echo } from "../origin.ts";
import { dial } from "../peer.ts";
import { openAuthority } from "../pki.ts";
import { withRig } from "../rig.ts";

const CA = openAuthority();
const RSA = CA.issue({ names: ["a.test"], kind: "rsa" });
const FALLBACK = CA.issue({ names: ["fallback.test"] });
const OLD = "AES128-GCM-SHA256:ECDHE-RSA-AES128-SHA";
const SERVER_HELLO = 22;
const ALERT = 21;

/** Rows: the only cipher of a client; whether it gets in by default, and with OLD. */
const CIPHERS: readonly (readonly [string, number, boolean, boolean])[] = [
  ["ECDHE-RSA-AES128-GCM-SHA256", 0xc0_2f, true, false],
  ["ECDHE-RSA-AES256-GCM-SHA384", 0xc0_30, true, false],
  ["ECDHE-RSA-CHACHA20-POLY1305", 0xcc_a8, true, false],
  // Whoever gets the key of the host later reads what was recorded.
  ["AES128-GCM-SHA256", 0x00_9c, false, true],
  ["AES256-SHA", 0x00_35, false, false],
  // Encrypted behind its checksum (RFC 7366).
  ["ECDHE-RSA-AES128-SHA", 0xc0_13, false, true],
];

/** Two ways to listen: by the runtime's own look at names, and by ours. */
for (const unknown of ["default", "refuse"] as const) {
  for (const [name, cipher, normally, wanted] of CIPHERS) {
    test(`${name}, unknown names: ${unknown}`, async () => {
      assert.is(await isTaken(cipher, { unknown }), normally);
      assert.is(await isTaken(cipher, { unknown, ciphers: OLD }), wanted, OLD);
    });
  }
}

/** Whether an RSA host of a rind with these settings takes a client with that cipher alone. */
async function isTaken(cipher: number, settings: Partial<TlsSettings>): Promise<boolean> {
  let first = 0;
  const host = { name: "a.test", certificates: ["a"], policy: null, passthrough: "" };
  const shown = { fallback: FALLBACK, certificates: [{ id: "a", ...RSA }], hosts: [host] };
  const ask = helloOf(cipher).toString("latin1");
  await withRig(
    echo,
    async ({ securePort }) => {
      const client = await dial(securePort);
      client.send(ask);
      await client.until(() => client.unread.length > 0, "a first record");
      first = client.unread[0]!;
      client.reset();
    },
    { secure: { ...shown, settings } },
  );
  assert.ok(first === SERVER_HELLO || first === ALERT, `${first}`);
  return first === SERVER_HELLO;
}

/** A ClientHello of TLS 1.2 for `a.test`: P-256, and RSA with SHA-256. */
function helloOf(cipher: number): Buffer {
  const code = Buffer.from([cipher >> 8, cipher & 0xff]);
  const groups = extension(10, list16([Buffer.from([0, 0x17])]));
  const signatures = extension(13, list16([Buffer.from([4, 1])]));
  const body = Buffer.concat([
    Buffer.from([3, 3]),
    Buffer.alloc(32, 7),
    list8([]),
    list16([code]),
    list8([Buffer.alloc(1)]),
    list16([NAME("a.test"), groups, signatures]),
  ]);
  return records(Buffer.concat([Buffer.from([1, 0]), list16([body])]));
}

test.run();
