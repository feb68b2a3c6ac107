/**
 * What a piece of the translation sees of the cluster. Looking is recorded, also for what is not
 * there: whoever looked at something is translated again when it changes, and nobody else is.
 */
import { assert } from "../../core/assert.ts";
import type { KubeObject } from "../objects.ts";
import type { Resolved, Snapshot, Topic } from "../snapshot.ts";
import type { Pair } from "./certificates.ts";
import type { AskedBackend } from "./dialects/dialect.ts";
import type { Aim } from "./services.ts";

/** A collection to look things up in. Keep nothing of it: it is read during one translation. */
export type Look<T> = Readonly<{
  get(key: string): T | undefined;
  has(key: string): boolean;
}>;

/** The collections are those of Snapshot. */
export type View = Readonly<{
  /** Whoever asks for it depends on all of them. */
  classes: ReadonlyMap<string, KubeObject>;
  services: Look<KubeObject>;
  slices: Look<readonly KubeObject[]>;
  endpoints: Look<KubeObject>;
  secrets: Look<KubeObject>;
  /** Whether a Secret is known not to be there. */
  absent: Pick<Look<never>, "has">;
  namespaces: Look<KubeObject>;
  siblings: Look<ReadonlySet<string>>;
  names: Look<Resolved>;
  /**
   * Where a port of a Service, as an Ingress writes it, leads; `over` is what that Ingress asks of
   * the way there, or null.
   */
  aim(service: string, port: number | string, over: Readonly<AskedBackend> | null): Aim;
  /** The pair of a Secret, `namespace/name`, as last found good, and what is wrong with it now. */
  pair(secret: string): Pair;
  /** How many endpoints a backend has that an aim of this same piece leads to. */
  pods(backend: string): number;
}>;

/** What can be looked at: parts of the cluster, and what other pieces made of them. */
export type Seen = Topic | "Aim" | "Backend" | "Pair" | "Pods" | "Ways" | "Rind";

/** One thing that was looked at. */
export type Sight = Readonly<{ topic: Seen; key: string }>;

/** No two things have the same. */
export function sightKey({ topic, key }: Sight): string {
  return `${topic} ${key}`;
}

/** In place of a key: the whole collection. */
export const WHOLE = "";

/** How the making of a piece ended. */
export type Recorded<T> = Readonly<{ sights: readonly Sight[] }> &
  (Readonly<{ ok: true; value: T }> | Readonly<{ ok: false; error: unknown }>);

/** Answers for what other pieces make: it is made now when it is not there. */
export type Pieces = Pick<View, "aim" | "pair" | "pods">;

/** A view that writes down, for each piece, what that piece looks at. */
export class Recorder implements View {
  readonly services = this.#look("Service", ({ services }) => services);
  readonly slices = this.#look("EndpointSlice", ({ slices }) => slices);
  readonly endpoints = this.#look("Endpoints", ({ endpoints }) => endpoints);
  readonly secrets = this.#look("Secret", ({ secrets }) => secrets);
  readonly absent = {
    has: (key: string): boolean => {
      this.note("Secret", key);
      return this.#current().absent.has(key);
    },
  };
  readonly namespaces = this.#look("Namespace", ({ namespaces }) => namespaces);
  readonly siblings = this.#look("Siblings", ({ siblings }) => siblings);
  readonly names = this.#look("Name", ({ names }) => names);
  readonly #pieces: Pieces;
  #snapshot: Snapshot | null = null;
  /** Of the piece that is being made, by their keys; pieces that are made for it have their own. */
  #sights: Map<string, Sight> | null = null;

  constructor(pieces: Pieces) {
    this.#pieces = pieces;
  }

  get classes(): ReadonlyMap<string, KubeObject> {
    this.note("IngressClass", WHOLE);
    return this.#current().classes;
  }

  aim(service: string, port: number | string, over: Readonly<AskedBackend> | null): Aim {
    return this.#pieces.aim(service, port, over);
  }

  pair(secret: string): Pair {
    return this.#pieces.pair(secret);
  }

  pods(backend: string): number {
    return this.#pieces.pods(backend);
  }

  /** From here on the view is one of this snapshot. */
  turn(snapshot: Snapshot): void {
    this.#snapshot = snapshot;
  }

  /** What `make` gives, or why it failed, and what it looked at until then; each thing once. */
  record<T>(make: () => T): Recorded<T> {
    const outer = this.#sights;
    const noted = new Map<string, Sight>();
    this.#sights = noted;
    try {
      const value = make();
      return { ok: true, value, sights: [...noted.values()] };
    } catch (error) {
      return { ok: false, error, sights: [...noted.values()] };
    } finally {
      this.#sights = outer;
    }
  }

  /** Writes down that the piece at work depends on this. */
  note(topic: Seen, key: string): void {
    const sights = this.#sights;
    assert(sights !== null, "only a piece of the translation looks");
    // An Ingress may look at ten thousand things.
    const text = sightKey({ topic, key });
    if (!sights.has(text)) sights.set(text, { topic, key });
  }

  #current(): Snapshot {
    assert(this.#snapshot !== null, "a view is of a snapshot");
    return this.#snapshot;
  }

  #look<T>(topic: Topic, of: (snapshot: Snapshot) => ReadonlyMap<string, T>): Look<T> {
    return {
      get: (key) => {
        this.note(topic, key);
        return of(this.#current()).get(key);
      },
      has: (key) => {
        this.note(topic, key);
        return of(this.#current()).has(key);
      },
    };
  }
}
