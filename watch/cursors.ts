/**
 * Which split counts in which of the shared counters (core/cursors.ts). A route keeps its slot for
 * as long as it is a split, so that a new table goes on where the old one was.
 */
import { type Action, type Model, NONE, type Route, type VirtualHost } from "../core/model.ts";

/** As many as there are shared counters. */
const SLOTS_MAX = 65_536;
/** A slot is free this many publishes after its route was last there: no table uses it by then. */
const REST = 2;

/** Hosts as they were given and, at the same places, as they were answered. */
type Assigned = Readonly<{ given: readonly VirtualHost[]; answered: readonly VirtualHost[] }>;

export class Cursors {
  readonly #slotsMax: number;
  readonly #slots = new Map<string, number>();
  readonly #free: number[] = [];
  #unused = 0;
  #publishes = 0;
  /** Routes that have a slot and are gone, by how many publishes there were when last seen. */
  readonly #gone = new Map<string, number>();
  #last: Assigned = { given: [], answered: [] };
  /** How many publishes there were at the last `assign`. */
  #lastAt = 0;

  constructor(slotsMax = SLOTS_MAX) {
    this.#slotsMax = slotsMax;
  }

  /**
   * The model with a slot in every forward action that has a choice: two or more shares that are
   * not 0. All others, and splits beyond the last slot, have NONE. A host that was given the last
   * time too is answered with the same host as then.
   */
  assign(model: Model): Model {
    if (model.hosts !== this.#last.given) {
      this.#last = { given: model.hosts, answered: this.#assignAll(model.hosts) };
    }
    this.#lastAt = this.#publishes;
    return { ...model, hosts: this.#last.answered };
  }

  /** Call it after each publish of a model that `assign` gave: what was not in it ages. */
  published(): void {
    this.#publishes += 1;
    for (const [id, seenAt] of this.#gone) {
      if (this.#publishes - seenAt <= REST) continue;
      this.#free.push(this.#slots.get(id)!);
      this.#slots.delete(id);
      this.#gone.delete(id);
    }
  }

  /** Walks the hosts of before and of now side by side: both are in the order of their names. */
  #assignAll(hosts: readonly VirtualHost[]): readonly VirtualHost[] {
    const { given, answered } = this.#last;
    // Nearly always nearly all of them are the same, and those are copied as a whole.
    let at = 0;
    while (at < given.length && given[at] === hosts[at]) at++;
    const next = answered.slice(0, at);
    const fresh: number[] = [];
    for (let i = at; i < hosts.length; i++) {
      const host = hosts[i]!;
      while (at < given.length && given[at] !== host && given[at]!.name <= host.name) {
        this.#leave(answered[at++]!);
      }
      if (at < given.length && given[at] === host) next.push(answered[at++]!);
      else fresh.push(next.push(host) - 1);
    }
    while (at < given.length) this.#leave(answered[at++]!);
    // After all that left: a route may have moved from one host to another.
    for (const place of fresh) next[place] = this.#host(next[place]!);
    return next;
  }

  #leave(host: VirtualHost): void {
    for (const { id } of host.routes) if (this.#slots.has(id)) this.#gone.set(id, this.#lastAt);
  }

  #host(host: VirtualHost): VirtualHost {
    let changed = false;
    const routes = host.routes.map((route) => {
      const assigned = this.#route(route);
      changed ||= assigned !== route;
      return assigned;
    });
    return changed ? { ...host, routes } : host;
  }

  #route(route: Route): Route {
    const { action } = route;
    if (action.kind !== "forward") return route;
    const cursor = splits(action) ? this.#slot(route.id) : NONE;
    return cursor === action.cursor ? route : { ...route, action: { ...action, cursor } };
  }

  #slot(id: string): number {
    this.#gone.delete(id);
    const known = this.#slots.get(id);
    if (known !== undefined) return known;
    const slot = this.#free.pop() ?? (this.#unused < this.#slotsMax ? this.#unused++ : NONE);
    if (slot !== NONE) this.#slots.set(id, slot);
    return slot;
  }
}

function splits(action: Action & { kind: "forward" }): boolean {
  let shares = 0;
  for (const share of action.split) if (share.weight > 0) shares += 1;
  return shares >= 2;
}
