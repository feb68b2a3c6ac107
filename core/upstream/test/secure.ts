/** What Bun says of a handshake, and what is made of it; settings shared for as long as needed. */
import { X509Certificate } from "node:crypto";
import { test } from "uvu";
import * as assert from "uvu/assert";

import { openAuthority } from "../../../test/pki.ts";
import { DEFAULT_LIMITS } from "../../limits.ts";
import type { Backend, UpstreamTls } from "../../model.ts";
import { Random } from "../../random.ts";
import { Timers } from "../../timers.ts";
import { Endpoints } from "../endpoints.ts";
import { Secures, type Shaken } from "../secure.ts";

const authority = openAuthority();
const certificate = new X509Certificate(authority.issue({ names: ["a.svc", "192.0.2.1"] }).chain);
const PLAIN: UpstreamTls = {
  name: "a.svc",
  sni: true,
  verify: true,
  authorities: authority.certificate,
  identity: null,
};
const ADDRESS = "192.0.2.1";

const failure = (code: string): Error => Object.assign(new Error(code), { code });
const shaken = (authorized: boolean, said = ""): Shaken => ({
  authorized,
  getAuthorizationError: () => (said === "" ? null : failure(said)),
  getPeerX509Certificate: () => certificate,
});

type Row = readonly [
  what: string,
  more: Partial<UpstreamTls>,
  said: readonly [success: boolean, authorized: boolean, error: string, later: string],
  reason: RegExp,
];
const MISNAMED = "ERR_TLS_CERT_ALTNAME_INVALID";
const FINE = /^$/;

const JUDGED: readonly Row[] = [
  ["all is well", {}, [true, true, "", ""], FINE],
  ["success without a word of being authorized", {}, [true, false, "", ""], /not verified/],
  ["authorized without success", {}, [false, true, "", ""], /not verified/],
  ["success with an error", {}, [true, true, "CERT_HAS_EXPIRED", ""], /has expired/],
  ["an error that is only kept", {}, [true, true, "", "CERT_HAS_EXPIRED"], /has expired/],
  ["a code that nobody knows", {}, [true, true, "SOMETHING_NEW", ""], /SOMETHING_NEW/],
  ["a name that Bun did not check", { name: "b.svc" }, [true, true, "", ""], /not for b\.svc/],
  ["no server name: the name is ours to check", { sni: false }, [false, false, MISNAMED, ""], FINE],
  ["the same, another name", { sni: false, name: "b" }, [false, false, MISNAMED, ""], /not for b/],
  ["Bun found another name than it asked for", {}, [false, false, MISNAMED, ""], /not for a\.svc/],
  ["an address as the name", { name: ADDRESS }, [false, false, MISNAMED, ""], FINE],
  ["no name: the address", { name: "" }, [true, true, "", ""], FINE],
  ["unverified, with an error", { verify: false }, [false, false, "CERT_HAS_EXPIRED", ""], FINE],
  ["unverified, and broken off", { verify: false }, [false, false, "EPROTO", ""], /not speak TLS/],
  ["unverified, and gone", { verify: false }, [false, false, "ECONNRESET", ""], /closed/],
];

for (const [what, more, [success, authorized, error, later], reason] of JUDGED) {
  test(`a handshake: ${what}`, () => {
    const secure = new Secures(new Timers()).take({ ...PLAIN, ...more });
    const told = error === "" ? null : failure(error);
    assert.match(secure.judge(shaken(authorized, later), success, told, ADDRESS), reason);
  });
}

test("without a certificate of the other side there was no handshake, verified or not", () => {
  for (const verify of [true, false]) {
    const secure = new Secures(new Timers()).take({ ...PLAIN, verify });
    const nobody = { ...shaken(true), getPeerX509Certificate: () => undefined };
    assert.is.not(secure.judge(nobody, true, null, ADDRESS), "");
  }
});

test("settings are kept while somebody uses them, one for all who ask for the same", () => {
  const secures = new Secures(new Timers());
  const one = secures.take(PLAIN);
  assert.is(secures.take({ ...PLAIN }), one);
  const identity = authority.issue({ names: ["edge"], use: "client" });
  const others = [
    { name: "b.svc" },
    { sni: false },
    { verify: false },
    { authorities: "" },
    { identity },
  ].map((more) => secures.take({ ...PLAIN, ...more }));
  assert.is(new Set([one, ...others].map(({ key }) => key)).size, 6);
  assert.is(secures.size, 6);
  for (const secure of [one, one, ...others]) secures.give(secure);
  assert.is(secures.size, 0);
});

test("keys of endpoints do not contain the material", () => {
  const identity = authority.issue({ names: ["edge"], use: "client" });
  const { key } = new Secures(new Timers()).take({ ...PLAIN, identity });
  assert.ok(key.length < 200);
  assert.not.match(key, /BEGIN/);
});

test("a backend's settings come and go with it, and make its endpoints others", () => {
  const limits = DEFAULT_LIMITS;
  const nothing = (): void => {};
  const site = { timers: new Timers(), limits, random: new Random(1), connect: nothing };
  const registry = new Endpoints({ ...site, knock: nothing });
  const endpoints = [{ address: ADDRESS, port: 443, uid: "" }];
  const backend = (id: string, tls: UpstreamTls | null): Backend => {
    return { id, endpoints, reason: "", balance: "leastRequest", tls };
  };
  const endpointOf = (id: string): unknown => registry.at(registry.indexOf(id))!.endpoints[0];
  registry.put(backend("clear", null));
  registry.put(backend("a", PLAIN));
  registry.put(backend("b", { ...PLAIN }));
  registry.put(backend("c", { ...PLAIN, verify: false }));
  assert.is(endpointOf("a"), endpointOf("b"));
  assert.is(new Set(["clear", "a", "c"].map(endpointOf)).size, 3);
  const before = endpointOf("a");
  registry.put(backend("a", { ...PLAIN }));
  assert.is(endpointOf("a"), before, "the same settings again keep connections and health");
  assert.is(registry.secures, 2);
  registry.put(backend("a", null));
  registry.remove("b");
  registry.remove("c");
  assert.is(registry.secures, 0);
  assert.is(endpointOf("a"), endpointOf("clear"));
});

test.run();
