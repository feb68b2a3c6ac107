/** Which certificate and which protocol Bun shows to whom, where it asks for them by callbacks. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { metName, visit, type Visit } from "../../../../test/handshake.ts";
import { openAuthority } from "../../../../test/pki.ts";
import { contextOf, openBySni, type Native, type Stand } from "./fixture.ts";

const { certificate: authority, issue } = openAuthority();
const FALLBACK = issue({ names: ["fallback"] });
const A = issue({ names: ["a.test"] });
const context = contextOf([FALLBACK]);

async function withStand(stand: Stand, body: (stand: Stand) => Promise<void>): Promise<void> {
  try {
    await body(stand);
  } finally {
    stand.stop();
  }
}

/** Someone who stays until the test is done with the stand. */
function guest(stand: Stand, asks: Partial<Parameters<typeof visit>[0]>): Promise<Visit> {
  return visit({ port: stand.port, authority, ...asks });
}

test("SNI: serverName's context is shown, else each host would get the default", async () => {
  const names = new Map<string, Native>([["a.test", contextOf([A])]]);
  const stand = openBySni({ context, names: (name) => names.get(name) });
  await withStand(stand, async () => {
    for (const version of ["1.2", "1.3"] as const) {
      assert.is(metName(await guest(stand, { name: "a.test", version })), "a.test");
      assert.is(metName(await guest(stand, { name: "b.test", version })), "fallback");
      assert.is(metName(await guest(stand, { version })), "fallback");
    }
  });
});

test("SNI: the name comes as the client sent it, so that the vault has to fold it", async () => {
  const stand = openBySni({ context });
  await withStand(stand, async () => {
    await guest(stand, { name: "A.TeSt" });
    assert.ok(stand.events.includes("name A.TeSt"), stand.events.join());
  });
});

test("SNI: no call without a name, so that the default is the listener's own", async () => {
  const stand = openBySni({ context, names: () => contextOf([A]) });
  await withStand(stand, async () => {
    assert.is(metName(await guest(stand, {})), "fallback");
    assert.not.ok(stand.events.some((event) => event.startsWith("name")));
  });
});

test("rotation: the next handshake gets the new context, and nobody is thrown out", async () => {
  let current = contextOf([A]);
  const stand = openBySni({ context, names: () => current });
  await withStand(stand, async () => {
    const before = await guest(stand, { name: "a.test" });
    current = contextOf([issue({ names: ["a.test"] })]);
    const after = await guest(stand, { name: "a.test" });
    const [old, fresh] = [before, after].map(({ met }) => met!.certificate.serialNumber);
    assert.is.not(old, fresh);
    assert.is(await before.echo("still here"), "still here");
    assert.not.ok(before.closed);
  });
});

test("refused names: an Error ends this handshake, and only this one", async () => {
  const names = (name: string) => (name === "no.test" ? new Error("unknown") : undefined);
  const stand = openBySni({ context, names });
  await withStand(stand, async () => {
    const refused = await guest(stand, { name: "no.test" });
    assert.is(refused.met, null);
    await refused.until(() => refused.closed, "the end");
    assert.is(metName(await guest(stand, { name: "a.test" })), "fallback");
  });
});

for (const version of ["1.2", "1.3"] as const) {
  test(`ALPN: the list given is what is spoken, else clients of h2 fail (${version})`, async () => {
    const stand = openBySni({ context, names: () => contextOf([A]) });
    await withStand(stand, async () => {
      for (const name of ["", "a.test"]) {
        const both = await guest(stand, { name, version, alpn: ["h2", "http/1.1"] });
        assert.is(both.met?.alpn, "http/1.1");
        assert.is(await both.echo("hello"), "hello");
        assert.is(stand.told.at(-1)?.alpn, "http/1.1");
        assert.is((await guest(stand, { name, version })).met?.alpn, "");
        const other = await guest(stand, { name, version, alpn: ["acme-tls/1"] });
        assert.is(other.refusal, "ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL");
      }
    });
  });

  test(`two kinds of keys: clients get the one they can check (${version})`, async () => {
    const rsa = issue({ names: ["a.test"], kind: "rsa" });
    const both = contextOf([A, rsa]);
    const stand = openBySni({ context, names: () => both });
    await withStand(stand, async () => {
      for (const kind of ["ec", "rsa"] as const) {
        const met = await guest(stand, { name: "a.test", version, kind });
        assert.is(met.met?.kind, kind);
        assert.ok(met.met?.trusted);
      }
      assert.is((await guest(stand, { name: "a.test", version })).met?.kind, "ec");
    });
  });

  test(`resumption: a second visit costs no signature (${version})`, async () => {
    const own = contextOf([A]);
    const stand = openBySni({ context, names: () => own });
    await withStand(stand, async () => {
      const first = await guest(stand, { name: "a.test", version });
      await first.echo("hello");
      await first.until(() => first.session !== undefined, "a ticket");
      const again = await guest(stand, { name: "a.test", version, session: first.session! });
      assert.ok(again.met?.resumed);
      assert.is(await again.echo("hello"), "hello");
    });
  });
}

test("floor: 1.1 is refused by an alert without being told to", async () => {
  const stand = openBySni({ context });
  await withStand(stand, async () => {
    const old = await guest(stand, { version: "1.1" });
    assert.is(old.refusal, "ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION");
  });
});

test("floor: that of the listener's context is held, for all names", async () => {
  const strict = contextOf([FALLBACK], { minVersion: "TLSv1.3" });
  const own = contextOf([A], { minVersion: "TLSv1.3" });
  const stand = openBySni({ context: strict, names: () => own });
  await withStand(stand, async () => {
    for (const name of ["", "a.test"]) {
      const old = await guest(stand, { name, version: "1.2" });
      assert.is(old.refusal, "ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION");
      assert.is((await guest(stand, { name, version: "1.3" })).met?.version, "1.3");
    }
  });
});

test("ciphers: those of the listener's context are held, for all names", async () => {
  const ciphers = "ECDHE-ECDSA-AES256-GCM-SHA384";
  const own = contextOf([A], { ciphers });
  const stand = openBySni({ context: contextOf([FALLBACK], { ciphers }), names: () => own });
  await withStand(stand, async () => {
    for (const name of ["", "a.test"]) {
      const asks = { name, version: "1.2" } as const;
      const weak = await guest(stand, { ...asks, cipher: "ECDHE-ECDSA-AES128-GCM-SHA256" });
      assert.is(weak.refusal, "ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE");
      assert.is((await guest(stand, { ...asks, cipher: ciphers })).met?.version, "1.2");
    }
  });
});

test("a pair that does not belong together throws before anybody is served with it", () => {
  const mixed = { chain: A.chain, key: FALLBACK.key };
  assert.throws(() => contextOf([mixed]), /KEY_VALUES_MISMATCH|key values mismatch/i);
  assert.throws(() => contextOf([{ chain: "no PEM", key: A.key }]));
  assert.throws(() => contextOf([{ chain: A.chain, key: "no PEM" }]));
});

test.run();
