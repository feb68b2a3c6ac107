/**
 * Services of type ExternalName: an alias for a DNS name, chosen by whoever may write a Service.
 * Off unless the name is allowed, and its addresses pass the same filter as those of pods.
 */
import { isIP } from "node:net";

import type { Endpoint } from "../../core/model.ts";
import type { Draft } from "./draft.ts";
import type { Found } from "./endpoints.ts";
import { judgeOf } from "./forbidden.ts";
import { type Field, type Parsed, at, quote, text } from "./read.ts";
import type { View } from "./view.ts";

/** Host names in lower case (RFC 1123 §2.1; `_` is in names of real zones). */
const NAME =
  /^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*$/;
/** RFC 6761 §6.3, and what /etc/hosts of common systems adds. */
const LOOPBACK = /^(?:.*\.)?(?:localhost|localhost\.localdomain|ip6-localhost|ip6-loopback)$/;

const ANY_NAME = "*";
const PORT_MAX = 65_535;
const FLAG = "--external-names";

/** The DNS name that a Service stands for, or why it is not followed and what would help. */
export type Alias =
  Readonly<{ ok: true; name: string }> | Readonly<{ ok: false; reason: string; hint: string }>;

/**
 * Reads what is allowed as an external name: `api.example.com` alone, `.example.com` (also spelled
 * `*.example.com`) everything below it, `*` every name.
 */
export function parseNamePattern(raw: string): Parsed<string> {
  const pattern = raw.toLowerCase().replace(/^\*\./, ".").replace(/\.$/, "");
  if (pattern === ANY_NAME || NAME.test(pattern.replace(/^\./, ""))) {
    return { ok: true, value: pattern };
  }
  return {
    ok: false,
    reason: `${quote(raw)} is not a name such as api.example.com, .example.com or *`,
  };
}

/** The name of an ExternalName Service, lower case and without the dot at its end. */
export function readAlias(spec: Field, key: string, patterns: readonly string[]): Alias {
  const what = `Service ${key} is of type ExternalName`;
  if (patterns.length === 0) {
    return refuse(
      `${what}, which is not followed`,
      `allow its name with ${FLAG}, or use a Service with endpoints`,
    );
  }
  const raw = text(at(spec, "externalName"));
  if (raw === undefined || raw === "") return refuse(`${what} and has no externalName`, "");
  if (raw === null) return refuse(`${what}, and its externalName cannot be read`, "");
  const name = raw.toLowerCase().replace(/\.$/, "");
  if (isIP(name) !== 0) {
    return refuse(`${what}, and ${quote(raw)} is an address`, "use an EndpointSlice");
  }
  if (!NAME.test(name)) return refuse(`${what}, and ${quote(raw)} is not a DNS name`, "");
  if (LOOPBACK.test(name)) return refuse(`${what}, and ${name} is a name of this machine`, "");
  if (patterns.some((pattern) => covers(pattern, name))) return { ok: true, name };
  return refuse(`${what}, and ${name} is not allowed`, `allow it with ${FLAG} ${name}`);
}

/**
 * The endpoints of a DNS name on one port, with the name as their uid, so that connections are not
 * shared with pods that have the same address. Asks the source for the name.
 */
export function findNamed(
  view: View,
  draft: Draft,
  service: Field,
  to: Readonly<{ name: string; port: number }>,
): Found {
  const { name, port } = to;
  // Of pods, the slice says where they listen; here nobody but the Service does.
  if (port < 1 || port > PORT_MAX) return { endpoints: [], reason: `${port} is no port` };
  draft.wantName(name);
  const resolved = view.names.get(name);
  if (resolved === undefined) return { endpoints: [], reason: `DNS has not told of ${name} yet` };
  const where = at(at(service, "spec"), "externalName").path;
  const judge = judgeOf(draft.options.addresses, view.slices);
  const endpoints: Endpoint[] = [];
  const denials: string[] = [];
  for (const address of resolved.addresses) {
    const denial = judge(address, port);
    if (denial === null) endpoints.push({ address, port, uid: name });
    else denials.push(denial.reason);
    if (denials.length !== 1 || denial === null) continue;
    const reason = `${name} leads where rind must not connect: ${denial.reason}`;
    service.remark({ field: where, reason, hint: denial.hint, effect: "this address is not used" });
  }
  if (resolved.problem !== "" && resolved.addresses.length > 0) {
    const reason = `${name} cannot be resolved now: ${resolved.problem}`;
    const effect = "the addresses of before are used";
    service.remark({ level: "warning", field: where, reason, effect });
  }
  if (endpoints.length > 0) return { endpoints, reason: "" };
  return { endpoints, reason: denials[0] ?? (resolved.problem || `${name} has no address`) };
}

function covers(pattern: string, name: string): boolean {
  if (pattern === ANY_NAME) return true;
  return pattern.startsWith(".") ? name.endsWith(pattern) : name === pattern;
}

function refuse(reason: string, hint: string): Alias {
  return { ok: false, reason, hint };
}
