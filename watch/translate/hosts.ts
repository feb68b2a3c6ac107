/** The host of a rule: empty, a DNS name, or a wildcard for exactly one label. */
import { isIP } from "node:net";

import { quote } from "./read.ts";
import type { Parsed } from "./read.ts";

/** The name of the host that takes every request no other host takes. */
export const ANY_HOST = "*";

/** Longest DNS name, characters (RFC 1035 §2.3.4). */
const NAME_MAX = 253;
/** One label as the API server checks it: RFC 1123, at most 63 characters. */
const LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;

/**
 * The host as the model names it: lower case, `*` for an empty one. What the API server would
 * refuse (IngressRule.host: no port, no address, no bare `*`) is refused with its reason.
 */
export function parseHost(raw: string): Parsed<string> {
  if (raw === "") return { ok: true, value: ANY_HOST };
  const host = raw.toLowerCase();
  const reason = findFault(host);
  if (reason === "") return { ok: true, value: host };
  return { ok: false, reason: `${quote(raw)} ${reason}` };
}

function findFault(host: string): string {
  if (host === ANY_HOST) return "is not a host: leave the host out to take every host";
  if (host.length > NAME_MAX) return `is longer than ${NAME_MAX} characters`;
  if (host.includes("://") || host.includes("/")) return "is a URL, expected only its host name";
  if (isIP(host.replace(/^\[|\]$/g, "")) !== 0) return "is an address, expected a host name";
  if (/:\d*$/.test(host)) return "has a port, expected only a host name";
  if (host.endsWith(".")) return "ends with a dot, expected a host name without it";
  const name = host.startsWith("*.") ? host.slice(2) : host;
  if (name.includes("*")) return "may have a * only as its whole first label, as in *.example.com";
  return name.split(".").every((label) => LABEL.test(label)) ? "" : "is not a valid host name";
}
