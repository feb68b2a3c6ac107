/**
 * The endpoints of a Service port, from its EndpointSlices, or from its Endpoints object when it
 * has no slice at all. Slices carry resolved port numbers, which is how named targetPorts work.
 */
import { isIP } from "node:net";

import type { Endpoint } from "../../core/model.ts";
import type { Finding } from "../finding.ts";
import type { KubeObject } from "../objects.ts";
import type { Draft } from "./draft.ts";
import { type Denial, type Judge, judgeOf } from "./forbidden.ts";
import { type Field, at, clip, flag, integer, items, mapped, quote, text, whole } from "./read.ts";
import type { View } from "./view.ts";

const PORT_MAX = 65_535;
const IGNORED = "this endpoint is ignored";
/** Of one port of one Service, about so many endpoints are looked at, whatever their state. */
const SEEN_MAX = 20_000;

/** Usable endpoints in a stable order; `reason` says why there is none ("" otherwise). */
export type Found = Readonly<{ endpoints: readonly Endpoint[]; reason: string }>;

/** What has been seen so far. The keys are `address port`: slices may share an endpoint. */
type Tally = {
  readonly ready: Map<string, Endpoint>;
  /** Going away, and still serving. */
  readonly leaving: Map<string, Endpoint>;
  readonly ports: Set<string>;
  /** Usable, but for where they are. */
  readonly denials: Denial[];
  matched: boolean;
  seen: number;
  /** There are more than are used, or looked at. */
  surplus: boolean;
};

type Wanted = Readonly<{ draft: Draft; port: string; max: number; judge: Judge; tally: Tally }>;

/** An endpoint of a slice. `leaving`: it goes away, and still serves. */
type Member = Readonly<{ address: string; uid: string; state: "ready" | "leaving" | "unready" }>;
type Members = Readonly<{ members: readonly Member[] | null; findings: readonly Finding[] }>;

/** A slice does not change, and is read for each port of its Service. */
const knownMembers = new WeakMap<KubeObject, Members>();

/**
 * Endpoints of the port named `port` ("" for one without a name) of the Service `key`. Ready ones
 * that are not going away; only when there is none, those that go away and still serve (KEP-1669).
 * Those beyond `max` are not used, which is remarked on the Service.
 */
export function findEndpoints(
  view: View,
  draft: Draft,
  service: Field,
  { key, port, max }: Readonly<{ key: string; port: string; max: number }>,
): Found {
  const tally: Tally = {
    ready: new Map(),
    leaving: new Map(),
    ports: new Set(),
    denials: [],
    matched: false,
    seen: 0,
    surplus: false,
  };
  const wanted = { draft, port, max, judge: judgeOf(draft.options.addresses, view.slices), tally };
  const slices = view.slices.get(key) ?? [];
  const legacy = slices.length === 0 ? view.endpoints.get(key) : undefined;
  for (const slice of slices) readSlice(slice, wanted);
  if (legacy !== undefined) readSubsets(legacy, wanted);
  if (tally.surplus) {
    const reason = `has more than ${max} endpoints on one port`;
    service.remark({ level: "warning", field: "", reason, effect: "those beyond are not used" });
  }
  const found = tally.ready.size > 0 ? tally.ready : tally.leaving;
  if (found.size > 0) return { endpoints: [...found.values()].sort(compare), reason: "" };
  const nothing = slices.length === 0 && legacy === undefined;
  return { endpoints: [], reason: nothing ? "it has no EndpointSlice" : explain(tally, port) };
}

function readSlice(slice: KubeObject, wanted: Wanted): void {
  const { draft, tally } = wanted;
  if (tally.seen > SEEN_MAX) {
    tally.surplus = true;
    return;
  }
  const field = whole(slice, (finding) => draft.find(finding));
  const { members, findings } = membersOf(slice);
  if (members === null) return;
  const numbers = readPorts(items(at(field, "ports")), wanted);
  const known = tally.denials.length;
  for (const finding of findings) draft.find(finding);
  for (const { state, ...member } of members) {
    const into = state === "ready" ? tally.ready : state === "leaving" ? tally.leaving : null;
    add(member, numbers, { into, wanted });
  }
  remarkDenials(field, "endpoints", tally.denials.slice(known));
}

/** What a slice says of its endpoints, whatever the port; null for one that says nothing. */
function membersOf(slice: KubeObject): Members {
  const known = knownMembers.get(slice);
  if (known !== undefined) return known;
  const findings: Finding[] = [];
  const field = whole(slice, (finding) => findings.push(finding));
  // FQDN slices are deprecated and have no defined meaning (discovery.k8s.io/v1 AddressType).
  const named = text(at(field, "addressType")) === "FQDN";
  const list = named ? [] : items(at(field, "endpoints")).filter(mapped);
  const members = list.flatMap((endpoint) => readMember(endpoint) ?? []);
  const read = { members: named ? null : members, findings };
  knownMembers.set(slice, read);
  return read;
}

function readMember(endpoint: Field): Member | null {
  const conditions = at(endpoint, "conditions");
  mapped(conditions);
  const ready = conditionOf(at(conditions, "ready"), true);
  const serving = conditionOf(at(conditions, "serving"), true);
  const leaving = conditionOf(at(conditions, "terminating"), false);
  // Only the first address has a meaning, says the API.
  const first = items(at(endpoint, "addresses"))[0];
  const address = first === undefined ? null : readAddress(first);
  if (address === null) return null;
  const able = leaving ? ready || serving : ready;
  return {
    address,
    uid: uidOf(endpoint),
    state: able ? (leaving ? "leaving" : "ready") : "unready",
  };
}

function readSubsets(object: KubeObject, wanted: Wanted): void {
  const field = whole(object, (finding) => wanted.draft.find(finding));
  const known = wanted.tally.denials.length;
  for (const subset of items(at(field, "subsets")).filter(mapped)) {
    const numbers = readPorts(items(at(subset, "ports")), wanted);
    const { tally } = wanted;
    for (const endpoint of items(at(subset, "addresses")).filter(mapped)) {
      const address = readAddress(at(endpoint, "ip"));
      if (address === null) continue;
      add({ address, uid: uidOf(endpoint) }, numbers, { into: tally.ready, wanted });
    }
    tally.seen += items(at(subset, "notReadyAddresses")).length;
  }
  remarkDenials(field, "subsets", wanted.tally.denials.slice(known));
}

/** Once for each object: a slice has up to a thousand endpoints, all written by the same hand. */
function remarkDenials(object: Field, field: string, denials: readonly Denial[]): void {
  const [first] = denials;
  if (first === undefined) return;
  const more = denials.length === 1 ? "" : `, and ${denials.length - 1} more`;
  const reason = `lead where rind must not connect: ${first.reason}${more}`;
  object.remark({ field, reason, hint: first.hint, effect: "these endpoints are not used" });
}

/** The numbers behind the wanted port. A port without a number cannot be connected to. */
function readPorts(ports: readonly Field[], wanted: Wanted): readonly number[] {
  const numbers: number[] = [];
  for (const port of ports.filter(mapped)) {
    const name = text(at(port, "name")) ?? "";
    const protocol = text(at(port, "protocol")) ?? "TCP";
    const number = integer(at(port, "port"));
    if (number === undefined || number === null || protocol !== "TCP") continue;
    wanted.tally.ports.add(name);
    if (name !== wanted.port) continue;
    if (number >= 1 && number <= PORT_MAX) numbers.push(number);
    else
      port.remark({
        level: "warning",
        field: at(port, "port").path,
        reason: `${number} is no port`,
      });
  }
  if (numbers.length > 0) wanted.tally.matched = true;
  return numbers;
}

/** An IP address in lower case, or null when it is none, which is remarked. */
function readAddress(field: Field): string | null {
  const raw = text({ ...field, effect: IGNORED });
  if (typeof raw !== "string") return null;
  // A zone (`fe80::1%eth0`) means nothing on another machine.
  if (isIP(raw) !== 0 && !raw.includes("%")) return raw.toLowerCase();
  const reason = `${quote(raw)} is not an IP address`;
  field.remark({ level: "warning", field: field.path, reason, effect: IGNORED });
  return null;
}

function add(
  { address, uid }: Omit<Member, "state">,
  numbers: readonly number[],
  { into, wanted }: Readonly<{ into: Map<string, Endpoint> | null; wanted: Wanted }>,
): void {
  const { judge, tally, max } = wanted;
  tally.seen += 1;
  if (into === null) return;
  for (const port of numbers) {
    const key = `${address} ${port}`;
    if (into.has(key)) continue;
    const denial = judge(address, port);
    if (denial !== null) tally.denials.push(denial);
    else if (into.size < max) into.set(key, { address, port, uid });
    else tally.surplus = true;
  }
}

/** A condition that is there and no boolean is remarked, and speaks against the endpoint. */
function conditionOf(field: Field, absent: boolean): boolean {
  const value = flag({ ...field, effect: "this endpoint is not used while others are ready" });
  return value === null ? !absent : (value ?? absent);
}

function uidOf(endpoint: Field): string {
  return text(at(at(endpoint, "targetRef"), "uid")) ?? "";
}

function explain(tally: Tally, port: string): string {
  if (tally.seen === 0) return "it has no endpoints";
  if (!tally.matched) {
    const ports = [...tally.ports].map((name) => (name === "" ? "one without a name" : clip(name)));
    ports.sort();
    const wanted = port === "" ? "an unnamed port" : `a port named ${port}`;
    return `none of its endpoints has ${wanted}; they have ${ports.join(", ") || "no port"}`;
  }
  const [denial] = tally.denials;
  if (denial !== undefined) return `they lead where rind must not connect: ${denial.reason}`;
  return tally.seen === 1 ? "its only endpoint is not ready" : `none of its ${tally.seen} is ready`;
}

function compare(a: Endpoint, b: Endpoint): number {
  if (a.address !== b.address) return a.address < b.address ? -1 : 1;
  return a.port - b.port;
}
