/** What is shown for a name, and that a change costs what changed. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { openAuthority } from "../../../test/pki.ts";
import type { Certificate, SecureHost, TlsPolicy } from "../../model.ts";
import { PLAIN_EDGE } from "../../protocol.ts";
import { Vault, type VaultDelta } from "../vault.ts";

const CA = openAuthority();
const SETTINGS = { ...PLAIN_EDGE.tls, fallback: CA.issue({ names: ["fallback.test"] }) };
const PAIR = CA.issue({ names: ["a.test"] });
const OTHER = CA.issue({ names: ["b.test"], kind: "rsa" });

const certificateOf = (id: string, pair = PAIR): Certificate => ({ id, ...pair });

const hostOf = (name: string, certificates: string[] = [], more = {}): SecureHost => ({
  name,
  certificates,
  policy: null,
  passthrough: "",
  ...more,
});

const policyOf = (id: string, more: Partial<TlsPolicy> = {}): TlsPolicy => ({
  id,
  minVersion: null,
  ciphers: "",
  client: null,
  ...more,
});

/** A vault after these changes. */
function vaultOf(...changes: Partial<VaultDelta>[]): Vault {
  const vault = new Vault(SETTINGS);
  for (const change of changes) {
    vault.patch({ certificates: [], certificatesGone: [], secure: [], secureGone: [], ...change });
  }
  return vault;
}

const patch = (vault: Vault, change: Partial<VaultDelta>): void =>
  vault.patch({ certificates: [], certificatesGone: [], secure: [], secureGone: [], ...change });

const HOSTS = {
  certificates: [certificateOf("a"), certificateOf("w"), certificateOf("any")],
  secure: [
    hostOf("*", ["any"]),
    hostOf("*.w.test", ["w"]),
    hostOf("a.test", ["a"]),
    hostOf("bare.test"),
    hostOf("under.w.test"),
    hostOf("constructor", ["a"]),
  ],
};

/** Rows: what is asked for; which host's certificate is shown; whether it is nobody's. */
const LOOKUPS: readonly (readonly [string, string, boolean])[] = [
  ["a.test", "a.test", false],
  ["A.TEST", "a.test", false],
  ["a.test.", "a.test", false],
  ["x.w.test", "*.w.test", false],
  ["under.w.test", "*.w.test", false],
  ["w.test", "*", true],
  ["x.y.w.test", "*", true],
  [".w.test", "*", true],
  ["bare.test", "*", true],
  ["", "*", true],
  ["*", "*", true],
  ["nobody", "*", true],
  ["__proto__", "*", true],
  ["constructor", "a.test", false],
  [`${"x".repeat(300)}.w.test`, "*", true],
];

/** Each host by itself, with the certificates that it names. */
const oneByOne = (hosts: readonly SecureHost[]): Partial<VaultDelta>[] =>
  hosts.map((host) => ({
    secure: [host],
    certificates: HOSTS.certificates.filter(({ id }) => host.certificates.includes(id)),
  }));

const WAYS: readonly (readonly [string, readonly Partial<VaultDelta>[]])[] = [
  ["all at once", [HOSTS]],
  ["one by one", oneByOne(HOSTS.secure)],
  ["one by one, from the last", oneByOne(HOSTS.secure.toReversed())],
];

for (const [way, changes] of WAYS) {
  test(`a name gets its own certificate, that of the wildcard above, or of all: ${way}`, () => {
    const vault = vaultOf(...changes);
    for (const [asked, shown, fallback] of LOOKUPS) {
      const it = vault.lookup(asked);
      assert.is(it.context, vault.lookup(shown).context, asked);
      assert.is(it.fallback, fallback, asked);
    }
    assert.is(new Set(LOOKUPS.map(([asked]) => vault.lookup(asked).context)).size, 3);
  });
}

test("without a certificate for everybody it is the fallback of the settings", () => {
  const vault = vaultOf();
  const { context } = vault.any;
  patch(vault, { secure: [hostOf("a.test")] });
  assert.is(vault.lookup("a.test").context, context);
  assert.is(vault.any.context, context);
});

test("a change makes contexts for what changed, and for nothing else", () => {
  const vault = vaultOf(HOSTS);
  const names = ["a.test", "*.w.test", "*", "bare.test"];
  const seen = (): (object | null)[] => names.map((name) => vault.lookup(name).context);
  const first = seen();
  patch(vault, { certificates: [certificateOf("w", OTHER)] });
  const second = seen();
  assert.equal(
    second.map((context, i) => context === first[i]),
    [true, false, true, true],
  );
  patch(vault, { secureGone: ["*"], certificatesGone: ["any"] });
  assert.equal(
    seen().map((context, i) => context === second[i]),
    [true, true, false, false],
  );
  patch(vault, { certificates: [certificateOf("unused")] });
  assert.is(vault.lookup("a.test").context, first[0]);
});

test("hosts of one policy and certificate share a context; those of two policies do not", () => {
  const vault = vaultOf({
    certificates: [certificateOf("a")],
    secure: [
      hostOf("1.test", ["a"]),
      hostOf("2.test", ["a"]),
      hostOf("3.test", ["a"], { policy: policyOf("p") }),
      hostOf("4.test", ["a"], { policy: policyOf("q") }),
    ],
  });
  const contexts = [1, 2, 3, 4].map((i) => vault.lookup(`${i}.test`).context);
  assert.is(contexts[0], contexts[1]);
  assert.is(new Set(contexts).size, 3);
});

test("what the library refuses keeps what was shown before, but never under another policy", () => {
  const broken = { chain: PAIR.chain, key: OTHER.key };
  const vault = vaultOf(HOSTS);
  const before = vault.lookup("a.test").context;
  patch(vault, { certificates: [certificateOf("a", broken)] });
  assert.is(vault.lookup("a.test").context, before);
  patch(vault, { secure: [hostOf("a.test", ["a"], { policy: policyOf("p") })] });
  assert.is(vault.lookup("a.test").context, null);
  patch(vault, { certificates: [certificateOf("a")] });
  assert.ok(vault.lookup("a.test").context);
  const ciphers = policyOf("q", { ciphers: "NO-SUCH-CIPHER" });
  patch(vault, { secure: [hostOf("new.test", ["a"], { policy: ciphers })] });
  assert.is(vault.lookup("new.test").context, null);
  patch(vault, { certificates: [certificateOf("b", broken)], secure: [hostOf("b.test", ["b"])] });
  assert.is(vault.lookup("b.test").context, vault.any.context);
});

test("two hosts whose new certificate is refused each keep their own", () => {
  const vault = vaultOf({
    certificates: [certificateOf("a"), certificateOf("b")],
    secure: [hostOf("a.test", ["a"]), hostOf("b.test", ["b"])],
  });
  const shown = (): (object | null)[] => ["a.test", "b.test"].map((n) => vault.lookup(n).context);
  const before = shown();
  patch(vault, {
    certificates: [certificateOf("bad", { chain: PAIR.chain, key: OTHER.key })],
    secure: [hostOf("a.test", ["bad"]), hostOf("b.test", ["bad"])],
  });
  shown().forEach((context, i) => assert.is(context, before[i]));
});

test("clients are never judged by the authorities of the system", () => {
  const client = { authorities: "", verify: "required", depth: 1, forward: false } as const;
  const vault = vaultOf(HOSTS, {
    secure: [hostOf("c.test", ["a"], { policy: policyOf("c", { client }) })],
  });
  assert.is(vault.lookup("c.test").context, null);
});

test("only a policy or a passthrough needs a look into connections", () => {
  assert.not.ok(vaultOf(HOSTS).peeks());
  const asks = [{ policy: policyOf("p") }, { passthrough: "backend" }];
  for (const more of asks) {
    const vault = vaultOf(HOSTS, { secure: [hostOf("p.test", [], more)] });
    assert.ok(vault.peeks());
    patch(vault, { secureGone: ["p.test"] });
    assert.not.ok(vault.peeks());
  }
});

test.run();
