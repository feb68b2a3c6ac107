/**
 * Which split counts in which of the shared counters (core/cursors.ts). A route keeps its slot for
 * as long as it is a split, so that a new table goes on where the old one was.
 */
import { type Action, type Model, NONE, type Route, type VirtualHost } from "../core/model.ts";

/** As many as there are shared counters. */
const SLOTS_MAX = 65_536;
/** A slot is free this many publishes after its route was last there: no table uses it by then. */
const REST = 2;

type Held = { readonly slot: number; seenAt: number };

export class Cursors {
  readonly #slotsMax: number;
  readonly #held = new Map<string, Held>();
  readonly #free: number[] = [];
  #unused = 0;
  #publishes = 0;

  constructor(slotsMax = SLOTS_MAX) {
    this.#slotsMax = slotsMax;
  }

  /**
   * The model with a slot in every forward action that has a choice: two or more shares that are
   * not 0. All others, and splits beyond the last slot, have NONE.
   */
  assign(model: Model): Model {
    return { ...model, hosts: model.hosts.map((host) => this.#host(host)) };
  }

  /** Call it after each publish of a model that `assign` gave: what was not in it ages. */
  published(): void {
    this.#publishes += 1;
    for (const [id, held] of this.#held) {
      if (this.#publishes - held.seenAt <= REST) continue;
      this.#held.delete(id);
      this.#free.push(held.slot);
    }
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
    const held = this.#held.get(id);
    if (held !== undefined) {
      held.seenAt = this.#publishes;
      return held.slot;
    }
    const slot = this.#free.pop() ?? (this.#unused < this.#slotsMax ? this.#unused++ : NONE);
    if (slot !== NONE) this.#held.set(id, { slot, seenAt: this.#publishes });
    return slot;
  }
}

function splits(action: Action & { kind: "forward" }): boolean {
  let shares = 0;
  for (const share of action.split) if (share.weight > 0) shares += 1;
  return shares >= 2;
}
