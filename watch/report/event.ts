/** A finding as a core/v1 Event: what it is called, and what it says. */
import type { Finding } from "../finding.ts";
import { isName } from "../objects.ts";
import { RESOURCES } from "../resources.ts";

/** What the API server takes (core/v1 validation). */
const MESSAGE_BYTES_MAX = 1_024;
const NAME_CHARS_MAX = 253;
const HASH_CHARS = 16;
/** Where Events on objects without a namespace are kept, and where `kubectl` looks for them. */
const NOWHERE = "default";

/** What makes an Event point at one object and no other of the same name. */
export type Identity = Readonly<{ uid: string; apiVersion: string }>;

/** `instance` is who tells it, such as the name of our pod; `now` a time as RFC 3339 has it. */
export type Telling = Readonly<{ identity: Identity | null; instance: string; now: string }>;

/** Whether the API server can have the object: not so for files, or what rind says of itself. */
export function isTellable(finding: Finding): boolean {
  return isName(finding.name) && RESOURCES.some(({ kind }) => kind === finding.kind);
}

/** Two findings of one key are the same finding. */
export function findingKey({ kind, namespace, name, field, reason }: Finding): string {
  return `${kind} ${namespace}/${name} ${field}: ${reason}`;
}

/** The namespace that its Event is kept in: that of the object, as the API server demands. */
export function eventNamespace({ namespace }: Finding): string {
  return namespace === "" ? NOWHERE : namespace;
}

/** The same for the same finding on the same object, whoever tells it. */
export function eventName(finding: Finding, uid: string): string {
  const hash = new Bun.CryptoHasher("sha256").update(`${uid} ${findingKey(finding)}`);
  const start = finding.name.slice(0, NAME_CHARS_MAX - HASH_CHARS - 1).replace(/[.-]+$/, "");
  return `${start}.${hash.digest("hex").slice(0, HASH_CHARS)}`;
}

/** The Event that tells a finding for the first time. */
export function eventOf(finding: Finding, { identity, instance, now }: Telling): unknown {
  const { kind, namespace, name } = finding;
  const row = RESOURCES.find((resource) => resource.kind === kind);
  return {
    apiVersion: "v1",
    kind: "Event",
    metadata: {
      name: eventName(finding, identity?.uid ?? ""),
      namespace: eventNamespace(finding),
    },
    involvedObject: {
      apiVersion: identity?.apiVersion ?? row?.apiVersions[0],
      kind,
      name,
      ...(namespace === "" ? {} : { namespace }),
      ...(identity === null ? {} : { uid: identity.uid }),
    },
    type: "Warning",
    reason: reasonOf(finding),
    message: messageOf(finding),
    source: { component: "rind" },
    reportingComponent: "rind.dev/ingress-controller",
    reportingInstance: instance,
    firstTimestamp: now,
    lastTimestamp: now,
    count: 1,
  };
}

/** For machines to group by: what happened to what was asked for. */
function reasonOf({ kind, level, field }: Finding): string {
  // Of a certificate nothing is ignored: it ends soon, say.
  if (kind === "Secret") return `Certificate${level === "error" ? "Rejected" : "Warning"}`;
  const what = field.startsWith("metadata.annotations") ? "Annotation" : "";
  return `${what}${level === "error" ? "Rejected" : "Ignored"}`;
}

/** One line of bounded length: findings quote what users wrote. */
function messageOf({ field, reason, hint, effect }: Finding): string {
  const told = [field === "" ? reason : `${field}: ${reason}`, hint, effect];
  const line = told.filter((part) => part !== "").join("; ");
  const text = line.toWellFormed().replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, " ");
  const bytes = Buffer.from(text);
  if (bytes.length <= MESSAGE_BYTES_MAX) return text;
  // A cut inside of a character leaves its replacement, which goes as well.
  return `${bytes
    .subarray(0, MESSAGE_BYTES_MAX - 3)
    .toString()
    .replace(/\ufffd+$/, "")}…`;
}
