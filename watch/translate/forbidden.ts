/**
 * Where rind must not connect, whoever asks for it. A proxy on the network of its node reaches what
 * tenants cannot: loopback services, cloud metadata, the API server. Whoever may write an
 * EndpointSlice or a DNS record could borrow that reach (CVE-2021-25740).
 */
import { isIP } from "node:net";

import { type Cidrs, cidrsOf } from "../../core/cidr.ts";
import type { KubeObject } from "../objects.ts";
import { at, integer, items, text, whole } from "./read.ts";
import type { Look } from "./view.ts";

/** The Service of the API server, and the one slice of it that the API server itself writes. */
const API_SERVICE = "default/kubernetes";
const API_SLICE = "kubernetes";

/** What is denied, and what it is. An IPv4-mapped address is the IPv4 address (core/cidr.ts). */
const RANGES: readonly (readonly [cidr: string, what: string])[] = [
  ["127.0.0.0/8", "a loopback address"],
  ["::1", "a loopback address"],
  ["0.0.0.0/8", "an unspecified address"],
  ["::", "an unspecified address"],
  ["::/96", "an IPv4-compatible address"],
  ["169.254.0.0/16", "a link-local address, where cloud metadata is"],
  ["fe80::/10", "a link-local address"],
  // A translator of the network (RFC 6052 §2.1, RFC 3056) would make them the addresses above.
  ["64:ff9b::7f00:0/104", "a loopback address behind NAT64"],
  ["64:ff9b::a9fe:0/112", "a link-local address behind NAT64"],
  ["2002:7f00::/24", "a loopback address behind 6to4"],
  ["2002:a9fe::/32", "a link-local address behind 6to4"],
  ["fd00:ec2::254", "an address of cloud metadata"],
  ["fd20:ce::254", "an address of cloud metadata"],
  ["168.63.129.16", "an address of cloud metadata"],
  ["224.0.0.0/4", "a multicast address"],
  ["ff00::/8", "a multicast address"],
  ["255.255.255.255", "the broadcast address"],
];
const DENIED = cidrsOf(RANGES.map(([cidr]) => cidr));
const ALLOW_HINT = "where this is meant, allow the address with --allow-address";

type Place = Readonly<{ address: string; port: number }>;

/** What is special about this cluster and this process. */
export type AddressRules = Readonly<{
  /** Ranges that are allowed, whatever they are; each parses (`--allow-address`). */
  allowed: readonly string[];
  /** rind's own admin API, under each of its addresses. `allowed` does not open it. */
  admin: readonly Place[];
  /** The API server as rind reaches it, where that is an IP address. */
  apiServer: readonly Place[];
}>;

/** Why an address is not connected to, as a sentence about it; null when it may be. */
export type Judge = (address: string, port: number) => Denial | null;
export type Denial = Readonly<{ reason: string; hint: string }>;

type ByPort = ReadonlyMap<number, Cidrs>;
type Compiled = Readonly<{ allowed: Cidrs; admin: ByPort; apiServer: ByPort }>;

/** Rules and slices do not change, so each is compiled once for as long as it lives. */
const compiledRules = new WeakMap<AddressRules, Compiled>();
const compiledSlices = new WeakMap<KubeObject, ByPort>();

/**
 * Judges addresses by `rules`, and by where the cluster says that its API server is. Without rules
 * every address may be connected to: in a folder, loopback is where the backends are.
 */
export function judgeOf(rules: AddressRules | null, slices: Look<readonly KubeObject[]>): Judge {
  if (rules === null) return () => null;
  const { allowed, admin, apiServer } = compile(rules);
  // By its name: with other slices of this Service, tenants could have each other denied.
  const own = slices.get(API_SERVICE)?.find((slice) => slice.metadata.name === API_SLICE);
  const served = own === undefined ? new Map<number, Cidrs>() : placesOf(own);
  return (address, port) => {
    const place = `${address.includes(":") ? `[${address}]` : address}:${port}`;
    if (admin.get(port)?.hasAddress(address)) {
      return { reason: `${place} is the admin API of rind itself`, hint: "" };
    }
    if (allowed.hasAddress(address)) return null;
    if (DENIED.hasAddress(address)) return { reason: explain(address), hint: ALLOW_HINT };
    const server = [apiServer, served].some((places) => places.get(port)?.hasAddress(address));
    return server ? { reason: `${place} is the API server`, hint: ALLOW_HINT } : null;
  };
}

function explain(address: string): string {
  const row = RANGES.find(([cidr]) => cidrsOf([cidr]).hasAddress(address));
  return `${address} is ${row?.[1] ?? "not allowed"}`;
}

function compile(rules: AddressRules): Compiled {
  const known = compiledRules.get(rules);
  if (known !== undefined) return known;
  const { allowed, admin, apiServer } = rules;
  const compiled = {
    allowed: cidrsOf(allowed),
    admin: byPort(admin),
    apiServer: byPort(apiServer),
  };
  compiledRules.set(rules, compiled);
  return compiled;
}

function placesOf(slice: KubeObject): ByPort {
  const known = compiledSlices.get(slice);
  if (known !== undefined) return known;
  // What is broken in it is remarked by whoever routes to it.
  const field = whole(slice, () => {});
  const ports = items(at(field, "ports")).map((port) => integer(at(port, "port")) ?? 0);
  const addresses = items(at(field, "endpoints")).flatMap((endpoint) =>
    items(at(endpoint, "addresses")).map((address) => text(address) ?? ""),
  );
  const places = addresses.flatMap((address) => ports.map((port) => ({ address, port })));
  const made = byPort(places);
  compiledSlices.set(slice, made);
  return made;
}

/** A place whose address is none (a host name) denies nothing. */
function byPort(places: readonly Place[]): ByPort {
  const ports = new Map<number, string[]>();
  for (const { address, port } of places) {
    if (isIP(address) === 0 || address.includes("%")) continue;
    const known = ports.get(port);
    if (known === undefined) ports.set(port, [address]);
    else known.push(address);
  }
  return new Map([...ports].map(([port, addresses]) => [port, cidrsOf(addresses)]));
}
