/**
 * The table: a model compiled for one worker. It is never changed; a delta gives a new table that
 * shares the hosts it does not touch, and one assignment swaps it in.
 *
 *   host bytes → hosts → trie → candidates in order → the first whose conditions hold
 */
import { assert, unreachable } from "../assert.ts";
import type { Head } from "../head.ts";
import {
  type Action,
  DEFAULT_POLICY,
  type Delta,
  type Model,
  NONE,
  type Origin,
  type Route,
  type RoutePolicy,
  type VirtualHost,
} from "../model.ts";
import { compileGuard, type Guard } from "./guard.ts";
import { compileHosts, type Hosts, idOf, isHostName, lookupHost, patchHosts } from "./hosts.ts";
import { compareMatches, compileConditions, type Conditions, holds } from "./match.ts";
import { compileSplit, resume, type Split } from "./split.ts";
import { compileTrie, lookup, type Trie } from "./trie.ts";

const NO_BODY = Buffer.alloc(0);

/** A stable small integer for a backend id; the registry of the worker owns it. */
export type IndexOf = (backend: string) => number;

/** The rest of the policy is compiled into the guard. */
type ForwardPolicy = Omit<RoutePolicy, "redirect" | "hsts">;

/** What a route answers by itself. A redirect has a location and no body, else it is "". */
export type Reply = Readonly<{ status: number; location: string; body: Buffer }>;

/**
 * A route as a worker reads it: one shape for all kinds, absent parts are NONE or null. Up to
 * eight fields are 80 bytes, the ninth makes it 112: the engine has no size between.
 */
export class CompiledRoute {
  readonly id: string;
  readonly origin: Origin;
  /** The one backend that gets all, as its index. NONE: `pick(split)` tells, for each request. */
  readonly backend: number;
  readonly split: Split | null;
  readonly policy: ForwardPolicy;
  readonly conditions: Conditions | null;
  /** What to answer instead of forwarding. */
  readonly reply: Reply | null;
  /** What it asks of the way a request came; null: nothing. */
  readonly guard: Guard | null;

  constructor(route: Route, guard: Guard | null, split: Split | null, backend: number) {
    const { action } = route;
    this.id = route.id;
    this.origin = route.origin;
    this.backend = backend;
    this.split = split;
    this.policy = usual(route.policy);
    this.conditions = compileConditions(route.match);
    this.reply = replyOf(action);
    this.guard = guard;
  }
}

/** One host: candidates stand in the order of the trie's positions. */
type HostTable = Trie & Readonly<{ routes: readonly CompiledRoute[] }>;

export type Table = Readonly<{
  version: number;
  hosts: Hosts;
  /** By host id; null where a host is gone. */
  tables: readonly (HostTable | null)[];
}>;

// === hot ===

/**
 * The route of a request whose path is canonical, or null. The most specific host decides alone:
 * when none of its routes takes the request, no wildcard is asked.
 */
export function match(table: Table, head: Head): CompiledRoute | null {
  const id = lookupHost(table.hosts, head.bytes, head.hostStart, head.hostEnd);
  if (id === NONE) return null;
  const host = table.tables[id]!;
  let at = lookup(host, head.path, head.pathStart, head.pathEnd);
  while (at !== NONE) {
    const route = host.routes[at]!;
    if (route.conditions === null || holds(route.conditions, head)) return route;
    at = host.nodes[at]!;
  }
  return null;
}

// === cold: compile ===

/**
 * Compiles a whole model. Hosts that no request can name are left out. A secret seed, any integer,
 * keeps people who declare hosts from choosing names that are slow to find; patches keep it.
 */
export function compileTable(model: Model, indexOf: IndexOf, seed = 0): Table {
  const hosts = model.hosts.filter(({ name }) => isHostName(name));
  return {
    version: model.version,
    hosts: compileHosts(
      hosts.map(({ name }) => name),
      seed,
    ),
    tables: hosts.map((host) => compileHost(host, indexOf, NO_SPLITS)),
  };
}

type Splits = ReadonlyMap<string, Split>;

const NO_SPLITS: Splits = new Map();

/**
 * The next table. Only the hosts of the delta are compiled; their splits go on where routes of the
 * same id stopped, in whichever of these hosts those were.
 */
export function patchTable(table: Table, delta: Delta, indexOf: IndexOf): Table {
  assert(delta.base === table.version, "a delta applies to the table it was made for");
  const touched = delta.hosts.filter(({ name }) => isHostName(name));
  const staying = new Set(touched.map(({ name }) => name));
  const gone = delta.hostsGone.filter((name) => {
    return !staying.has(name) && idOf(table.hosts, name) !== NONE;
  });
  if (touched.length + gone.length === 0) return { ...table, version: delta.version };
  const before = splitsOf(table, [...staying, ...gone]);
  const tables = table.tables.slice();
  for (const name of gone) tables[idOf(table.hosts, name)] = null;
  const added: (readonly [string, number])[] = [];
  let free = 0;
  for (const host of touched) {
    let id = idOf(table.hosts, host.name);
    if (id === NONE) {
      free = tables.indexOf(null, free);
      if (free === NONE) free = tables.length;
      id = free;
      added.push([host.name, id]);
    }
    tables[id] = compileHost(host, indexOf, before);
  }
  const same = gone.length + added.length === 0;
  const hosts = same ? table.hosts : patchHosts(table.hosts, { added, gone });
  return { version: delta.version, hosts, tables };
}

function compileHost(host: VirtualHost, indexOf: IndexOf, before: Splits): HostTable {
  // Sorting is stable: equally specific routes stay in the order of the model.
  const routes = host.routes.toSorted((one, other) => compareMatches(one.match, other.match));
  const { trie, order } = compileTrie(routes.map((route) => route.match.path));
  const compiled: CompiledRoute[] = [];
  let guard: Guard | null = null;
  for (let i = 0; i < order.length; i++) {
    const route = routes[order[i]!]!;
    guard = compileGuard(host.policy, route, guard);
    compiled.push(compileRoute(route, guard, indexOf, before));
  }
  // A copy is as long as it needs to be; an array that grew has room to spare.
  return { ...trie, routes: compiled.slice() };
}

function compileRoute(
  route: Route,
  guard: Guard | null,
  indexOf: IndexOf,
  before: Splits,
): CompiledRoute {
  const { action, id } = route;
  if (action.kind !== "forward") return new CompiledRoute(route, guard, null, NONE);
  const [only, ...others] = action.split.filter((share) => share.weight > 0);
  if (only !== undefined && others.length === 0) {
    return new CompiledRoute(route, guard, null, indexOf(only.backend));
  }
  const split = compileSplit(action.split, indexOf, { route: id, cursor: action.cursor });
  const earlier = before.get(id);
  if (earlier !== undefined) resume(split, earlier);
  return new CompiledRoute(route, guard, split, NONE);
}

/** A mark for each backend, by its number below `count`: 1 where a route leads to it. */
export function namedBackends(table: Table, count: number): Uint8Array {
  const named = new Uint8Array(count);
  for (const host of table.tables) {
    for (const { backend, split } of host?.routes ?? []) {
      if (backend !== NONE) named[backend] = 1;
      for (const share of split?.backends ?? []) named[share] = 1;
    }
  }
  return named;
}

/** The splits of some hosts, by route id. */
function splitsOf(table: Table, names: readonly string[]): Splits {
  const splits = new Map<string, Split>();
  for (const name of names) {
    const id = idOf(table.hosts, name);
    const host = id === NONE ? null : table.tables[id];
    for (const route of host?.routes ?? []) {
      if (route.split !== null) splits.set(route.id, route.split);
    }
  }
  return splits;
}

/** Each route arrives with a policy of its own; those that are the default are kept as one. */
function usual(policy: RoutePolicy): ForwardPolicy {
  const { redirect, hsts } = DEFAULT_POLICY;
  const plain = Bun.deepEquals({ ...policy, redirect, hsts }, DEFAULT_POLICY, true);
  return plain ? DEFAULT_POLICY : policy;
}

function replyOf(action: Action): Reply | null {
  switch (action.kind) {
    case "forward":
      return null;
    case "redirect":
      return { status: action.status, location: action.location, body: NO_BODY };
    case "respond":
      return { status: action.status, location: "", body: Buffer.from(action.body) };
    default:
      return unreachable(action);
  }
}
