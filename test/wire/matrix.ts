/**
 * Who gets a handshake, with which certificate, and what the backend is told: every version of TLS
 * × kind of key × name asked for × certificate of the client, on every kind of listener.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  type Certificate,
  type ClientAuth,
  DEFAULT_POLICY,
  type KeyPair,
  NONE,
  type SecureHost,
  type TlsPolicy,
  type VirtualHost,
} from "../../core/model.ts";
import { PLAIN_EDGE } from "../../core/protocol.ts";
import { selfSigned } from "../../core/selfsigned.ts";
import { metName, visit, type Visit } from "../handshake.ts";
import { echo, type Echoed } from "../origin.ts";
import { openAuthority, type KeyKind } from "../pki.ts";
import { openRig, type Rig } from "../rig.ts";
import { NOTHING } from "../delta.ts";

const root = openAuthority();
const ROBOT = { names: ["robot"], use: "client" } as const;

const VERSIONS = ["1.1", "1.2", "1.3"] as const;
const KEYS = ["ec", "rsa", "both"] as const;
const NAMES = { known: "a.test", unknown: "nobody.test", none: "" } as const;
const UNKNOWN = ["default", "refuse"] as const;
const AUTH = ["off", "required", "optional", "unchecked"] as const;
const CLIENTS = ["none", "good", "bad", "expired"] as const;
/** A client signs with the kind of key that it takes. */
const IDENTITIES = { ec: identitiesOf("ec"), rsa: identitiesOf("rsa") };

type Keys = (typeof KEYS)[number];
type Plan = Readonly<{
  keys: Keys;
  unknown: (typeof UNKNOWN)[number];
  auth: (typeof AUTH)[number];
}>;
/** One client. `takes`: the only kind of key it knows. */
type Guest = Readonly<{
  version: (typeof VERSIONS)[number];
  name: keyof typeof NAMES;
  client: (typeof CLIENTS)[number];
  takes: KeyKind;
}>;

const pairs: readonly Certificate[] = ["a.test", "everybody.test"].flatMap((name) =>
  (["ec", "rsa"] as const).map((kind) => ({
    id: `${name} ${kind}`,
    ...root.issue({ names: [name], kind }),
  })),
);

function identitiesOf(kind: KeyKind): Record<Guest["client"], KeyPair | null> {
  const robot = { ...ROBOT, kind };
  return {
    none: null,
    good: root.issue(robot),
    bad: openAuthority("other authority").issue(robot),
    expired: root.issue({ ...robot, fromDays: -9, untilDays: -1 }),
  };
}

/** What must become of a guest: what it met, and what the backend was told about it. */
function expected({ unknown, auth }: Plan, guest: Guest): string {
  const { version, name, client, takes } = guest;
  if (name === "unknown" && unknown === "refuse") return "no handshake: unrecognized name";
  if (version === "1.1") return "no handshake: protocol version";
  const shown = name === "known" ? "a.test" : "everybody.test";
  const met = `${version} ${takes} ${shown}`;
  if (name !== "known" || auth === "off") return `${met} 200 -`;
  if (client === "good") return `${met} 200 SUCCESS robot`;
  if (auth === "unchecked" && client !== "none") return `${met} 200 FAILED robot`;
  if (auth !== "required" && client === "none") return `${met} 200 NONE`;
  return "shut out";
}

for (const keys of KEYS) {
  for (const unknown of UNKNOWN) {
    for (const auth of AUTH) {
      const plan = { keys, unknown, auth };
      test(`keys ${keys}, unknown names ${unknown}, client certificates ${auth}`, () => run(plan));
    }
  }
}

async function run(plan: Plan): Promise<void> {
  const rig = openEdge(plan);
  try {
    const wrong: string[] = [];
    for (const guest of guestsOf(plan)) {
      const [is, should] = [await meet(rig, guest), expected(plan, guest)];
      if (is !== should) wrong.push(`${JSON.stringify(guest)}: ${is}, not ${should}`);
    }
    assert.equal(wrong, []);
    assert.equal(rig.origin.failures, []);
  } finally {
    rig.stop();
  }
}

function guestsOf({ keys }: Plan): Guest[] {
  const guests: Guest[] = [];
  const kinds: readonly KeyKind[] = keys === "both" ? ["ec", "rsa"] : [keys];
  for (const version of VERSIONS) {
    for (const name of Object.keys(NAMES) as (keyof typeof NAMES)[]) {
      for (const client of CLIENTS) {
        for (const takes of kinds) guests.push({ version, name, client, takes });
      }
    }
  }
  return guests;
}

async function meet(rig: Rig, { version, name, client, takes }: Guest): Promise<string> {
  const visitor = await visit({
    port: rig.plane.addresses().https[0]!.port,
    authority: root.certificate,
    name: NAMES[name],
    version,
    ...(version === "1.1" ? {} : { kind: takes }),
    identity: IDENTITIES[takes][client],
  });
  const { met } = visitor;
  const outcome =
    met === null ? refusalOf(visitor) : await ask(visitor, NAMES[name] || "none.test");
  await visitor.leave();
  if (outcome === "shut out" || met === null) return outcome;
  return `${met.version} ${met.kind} ${metName(visitor)} ${outcome}`;
}

/** Alerts by their names in RFC 8446 §6; a client whose certificate is asked for learns late. */
function refusalOf({ refusal }: Visit): string {
  const alert = /^ERR_SSL_(?:TLSV1|SSLV3)_ALERT_(\w+)$/.exec(refusal)?.[1] ?? "";
  if (alert === "PROTOCOL_VERSION") return "no handshake: protocol version";
  if (/UNRECOGNIZED_NAME/.test(refusal)) return "no handshake: unrecognized name";
  if (/CERTIFICATE|HANDSHAKE_FAILURE|UNKNOWN_CA/.test(alert)) return "shut out";
  // There is no alert for a certificate that is no good, and a reset can overtake a handshake.
  if (refusal === "ECONNRESET") return "shut out";
  return `no handshake: ${refusal}`;
}

async function ask(visitor: Visit, host: string): Promise<string> {
  visitor.socket.write(`GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
  await visitor.until(() => visitor.closed, "an answer");
  const [head = "", body = ""] = visitor.heard.split("\r\n\r\n");
  const status = /^HTTP\/1\.1 (\d{3})/.exec(head)?.[1];
  if (status === undefined) return "shut out";
  if (status !== "200") return status;
  const fields = new Map(
    (JSON.parse(body) as Echoed).fields.map(([name, value]) => [name.toLowerCase(), value]),
  );
  assert.is(fields.get("x-forwarded-proto"), "https");
  const verify = (fields.get("ssl-client-verify") ?? "-").replace(/:.*/, "");
  const subject = fields.get("ssl-client-subject-dn")?.replace("CN=", " ") ?? "";
  return `200 ${verify}${subject}`;
}

/** A host with a certificate, and one for everybody else. */
function openEdge({ keys, unknown, auth }: Plan): Rig {
  const address = { host: "127.0.0.1", port: 0 };
  const tls = { ...PLAIN_EDGE.tls, fallback: selfSigned(Date.now()), unknown };
  const rig = openRig(echo, { edge: { https: [address], tls } });
  const policy = auth === "off" ? null : policyOf(auth);
  const secure: readonly SecureHost[] = [
    { name: "*", certificates: idsOf("everybody.test", keys), policy: null, passthrough: "" },
    { name: "a.test", certificates: idsOf("a.test", keys), policy, passthrough: "" },
  ];
  const hosts = [hostOf("*", ""), hostOf("a.test", policy?.id ?? "")];
  rig.plane.apply({ ...NOTHING, base: 1, version: 2, hosts, certificates: pairs, secure });
  return rig;
}

function idsOf(name: string, keys: Keys): string[] {
  return keys === "both" ? [`${name} ec`, `${name} rsa`] : [`${name} ${keys}`];
}

function policyOf(verify: ClientAuth["verify"]): TlsPolicy {
  const client = { authorities: root.certificate, verify, depth: 1, forward: false };
  return { id: verify, minVersion: null, ciphers: "", client };
}

function hostOf(name: string, policy: string): VirtualHost {
  const origin = { kind: "Test", namespace: "wire", name, field: "" };
  const path = { kind: "prefix", value: "/" } as const;
  const match = { path, methods: [], headers: [], cookies: [], queries: [] };
  const action = {
    kind: "forward",
    split: [{ backend: "wire", weight: 1 }],
    cursor: NONE,
  } as const;
  return { name, policy, routes: [{ id: name, origin, match, action, policy: DEFAULT_POLICY }] };
}

test.run();
