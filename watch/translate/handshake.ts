/** Handshakes: what one Ingress asks of those of its hosts becomes claims on them. */
import type { ClientAuth, Route } from "../../core/model.ts";
import type { KubeObject } from "../objects.ts";
import { grantOf } from "../resources.ts";
import { readAuthorities } from "./authorities.ts";
import { type Asked, type AskedTls, BLOCKED } from "./dialects/dialect.ts";
import { type Draft, type PolicyAsk, ageOf } from "./draft.ts";
import { ANY_HOST } from "./hosts.ts";
import { type Field, clip } from "./read.ts";
import type { View } from "./view.ts";

/**
 * Characters of authorities that the hosts of one Ingress carry together: a worker may have to keep
 * them once for each host. Hosts beyond answer 503.
 */
const AUTHORITIES_MAX = 1_048_576;

type Subject = Readonly<{ view: View; draft: Draft; object: KubeObject; field: Field }>;

/** What an Ingress asks of handshakes, and why its routes of any host answer 503, or "". */
type Handshake = Readonly<{ ask: PolicyAsk | null; anyHost: string }>;

/**
 * What an Ingress asks of the handshakes of its hosts. Whatever keeps clients from being checked is
 * remarked, and is in `broken`; then all of the Ingress has to answer 503. A handshake for no name,
 * or for one that nobody has, cannot be one host's: who asks something of any host asks it of the
 * hosts of others.
 */
export function readHandshake(subject: Subject, asked: Readonly<Asked>): Handshake {
  const ask = policyAskOf(subject, asked);
  if (asked.tls.passthrough) return { ask, anyHost: "passthrough is for named hosts only" };
  const strict = ask !== null && (ask.client !== null || ask.minVersion !== null);
  return {
    ask,
    anyHost: strict
      ? "client certificates and versions of TLS are asked for on named hosts only"
      : "",
  };
}

/** Claims what is asked for each host, by the routes that the Ingress has for it. */
export function claimHandshakes(
  subject: Subject & Readonly<{ asked: Readonly<Asked>; handshake: Handshake }>,
  hosts: ReadonlyMap<string, readonly Route[]>,
): void {
  const { draft, object, field, asked, handshake } = subject;
  const { ask } = handshake;
  const { namespace, name } = object.metadata;
  const origin = { kind: object.kind, namespace, name, field: "" };
  const age = ageOf(object, 0);
  let room = AUTHORITIES_MAX;
  for (const [host, routes] of hosts) {
    if (asked.tls.secured) draft.secure({ kind: "certificate", secret: "", host, origin, age });
    if (host === ANY_HOST) {
      remarkAnyHost(field, handshake);
      continue;
    }
    room -= ask?.client?.authorities.length ?? 0;
    const full = ask !== null && room < 0 ? crowded(field, ask) : ask;
    if (full !== null) draft.secure({ kind: "policy", ask: full, host, origin, age });
    if (!asked.tls.passthrough) continue;
    const backend = passthroughOf(subject, host, routes);
    draft.secure({ kind: "passthrough", backend, host, origin, age });
  }
}

/** Nothing can be asked of the handshakes of any host; what is less than a lock is left out. */
function remarkAnyHost(field: Field, { ask, anyHost }: Handshake): void {
  const hint = "name a host in the rule";
  if (anyHost !== "") {
    const effect = "its paths without a host answer 503";
    field.remark({ field: "spec", reason: anyHost, hint, effect });
  } else if (ask !== null && ask.broken === "") {
    const reason = "ciphers are for named hosts only";
    const effect = "its paths without a host are served with those of all";
    field.remark({ level: "warning", field: "spec", reason, hint, effect });
  }
}

/** There is no room left for the authorities of one more host. */
function crowded(field: Field, ask: PolicyAsk): PolicyAsk {
  const reason =
    "asks for client certificates on too many hosts: copies of the authorities have more than " +
    `${AUTHORITIES_MAX} characters together`;
  const hint = "use several Ingresses, or fewer authorities";
  field.remark({ field: "spec.rules", reason, hint, effect: "hosts beyond answer 503" });
  return { ...ask, client: null, broken: reason };
}

/** The backend of a host that gets connections unopened: that of / or else of the first path. */
function passthroughOf({ field }: Subject, host: string, routes: readonly Route[]): string {
  const whole = routes.find(
    ({ match }) => match.path.kind === "prefix" && match.path.value === "/",
  );
  const route = whole ?? routes[0]!;
  if (routes.length > 1) {
    const reason = `passthrough sends all of ${host} to one backend, whatever the path`;
    const effect = `all goes to that of ${route.match.path.value}`;
    field.remark({ level: "warning", field: route.origin.field, reason, effect });
  }
  const split = route.action.kind === "forward" ? route.action.split : [];
  if (split.length > 1) {
    const reason = `passthrough sends all of ${host} to one backend, and weights do not count`;
    field.remark({ level: "warning", field: route.origin.field, reason });
  }
  return split[0]?.backend ?? "";
}

/** null: it asks nothing. */
function policyAskOf(subject: Subject, asked: Readonly<Asked>): PolicyAsk | null {
  const client = clientOf(subject, asked);
  const { minVersion, ciphers } = ownOf(subject, asked.tls);
  if (typeof client === "string") return { minVersion, ciphers, client: null, broken: client };
  if (client === null && minVersion === null && ciphers === "") return null;
  return { minVersion, ciphers, client, broken: "" };
}

/** What is ours to decide: the backend's handshakes are its own. */
function ownOf({ field }: Subject, tls: AskedTls): Pick<AskedTls, "minVersion" | "ciphers"> {
  if (!tls.passthrough) return tls;
  if (tls.minVersion !== null || tls.ciphers !== "") {
    const reason = "asks for a version or ciphers, which passthrough leaves to the backend";
    field.remark({ level: "warning", field: "metadata.annotations", reason, effect: "ignored" });
  }
  return { minVersion: null, ciphers: "" };
}

/** Who clients must be, null for anybody, or why that cannot be found out. */
function clientOf(subject: Subject, { client, tls }: Readonly<Asked>): ClientAuth | string | null {
  const { authorities, verify, depth, forward } = client;
  if (verify?.as === "off") return null;
  if (authorities === null) {
    if (verify === null) return null;
    const hint = "name a Secret with ca.crt in client-ca or auth-tls-secret";
    return breakOff(subject, verify.key, "is set, and no authorities are named", hint);
  }
  const { key } = authorities;
  if (tls.passthrough) {
    return breakOff(subject, key, "cannot be checked: passthrough leaves TLS to the backend");
  }
  const bundle = authoritiesOf(subject, authorities);
  if (typeof bundle === "string") return bundle;
  return { authorities: bundle.pem, verify: verify?.as ?? "required", depth, forward };
}

/** The bundle of a Secret of the same namespace, or why there is none. */
function authoritiesOf(
  subject: Subject,
  { key, secret }: Readonly<{ key: string; secret: string }>,
): Readonly<{ pem: string }> | string {
  const { view, draft, object } = subject;
  const { namespace } = object.metadata;
  if (secret === "") return `${clip(key)} cannot be read`;
  const [name = "", owner = namespace] = secret.split("/").reverse();
  if (owner !== namespace) {
    const hint = `copy it to namespace ${namespace}`;
    return breakOff(subject, key, `names a Secret of namespace ${owner}`, hint);
  }
  const id = `${namespace}/${name}`;
  draft.wantSecret(id);
  const found = view.secrets.get(id);
  if (found === undefined) {
    if (!draft.options.allSecrets && !view.absent.has(id)) {
      // It could just be late; then this is gone with the next model.
      const hint = `if that stays so, rind may not: ${grantOf(namespace, draft.options.account)}`;
      return breakOff(subject, key, `Secret ${name} has not been read yet`, hint);
    }
    return breakOff(subject, key, `no Secret ${name} in namespace ${namespace}`);
  }
  const read = readAuthorities(found);
  if (read.ok) return { pem: read.value };
  return breakOff(subject, key, `Secret ${name}: ${read.reason}`);
}

function breakOff({ field }: Subject, key: string, reason: string, hint = ""): string {
  const place = `metadata.annotations[${clip(key)}]`;
  field.remark({ field: place, reason, hint, effect: BLOCKED });
  return `${clip(key)}: ${reason}`;
}
