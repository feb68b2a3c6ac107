/**
 * Units: the pieces of a translation. Each is made by a plain function of what it looks at, and is
 * made again only when something that it looked at has changed.
 *
 *     Service ─► Aim ───────┬─► Ingress ─► claims ─► host
 *     Service, slices ─► Backend ─(pods, where weights ask)─┤
 *     Secret ─► Pair ──────────┴────────────────────────────┘
 */
import type { Snapshot } from "../snapshot.ts";
import type { Changes } from "../snapshot.ts";
import type { Finding } from "../finding.ts";
import { type Pair, pairOf } from "./certificates.ts";
import type { AskedBackend } from "./dialects/dialect.ts";
import { Draft, NO_OUTPUT, note, type Output, type TranslateOptions } from "./draft.ts";
import { Links } from "./links.ts";
import { type Kept, plainId } from "./backendtls.ts";
import { type Aim, aimAt, backendOf, nobody } from "./services.ts";
import { CROWDED, Ways } from "./ways.ts";
import { Recorder, type Seen, type Sight, type View, WHOLE, sightKey } from "./view.ts";
import type { Backend } from "../../core/model.ts";

/** Units that are made in one go; a large cluster takes several. */
const BATCH = 500;

const NO_SIGHTS: readonly Sight[] = [];
const BUG = "rind cannot translate its Service";
const UNPAIRED: Pair = { good: null, problem: "rind cannot read it", missing: false };
const UNAIMED: Aim = { ok: false, at: "name", reason: BUG, hint: "" };
type Failure = Readonly<{ error: unknown; sights: readonly Sight[] }>;
type Outcome = Readonly<{ output: Output; sights: readonly Sight[] }>;

/** One piece: `make` gives its value, and its output through the draft. */
export class Unit<T = unknown> {
  readonly topic: Seen;
  readonly key: string;
  readonly make: (view: View, draft: Draft) => T;
  /** Its value when it could never be made. */
  readonly spare: T;
  value: T | null = null;
  output: Output = NO_OUTPUT;
  sights = NO_SIGHTS;
  /** The output when it was last made, and what it looked at: others only if it failed since. */
  sound: Outcome = { output: NO_OUTPUT, sights: NO_SIGHTS };

  constructor(topic: Seen, key: string, make: (view: View, draft: Draft) => T, spare: T) {
    this.topic = topic;
    this.key = key;
    this.make = make;
    this.spare = spare;
  }
}

/** Hears of each unit that was made again, or is gone (`now` is NO_OUTPUT then). */
export type Made = (unit: Unit, before: Output, now: Output) => void;

/** The units that are not objects: they live as long as somebody looks at them. */
export class Units {
  readonly #options: TranslateOptions;
  readonly #made: Made;
  readonly #pause: () => void;
  readonly #links = new Links();
  readonly #aims = new Map<string, Unit<Aim>>();
  readonly #backends = new Map<string, Unit<Backend>>();
  readonly #pairs = new Map<string, Unit<Pair>>();
  readonly #ways = new Ways();
  readonly #recorder: Recorder;
  /** To be made again, in this order: those of objects come last, for they look at the others. */
  readonly #dirty = {
    Pair: new Set<Unit>(),
    Backend: new Set<Unit>(),
    Aim: new Set<Unit>(),
    other: new Set<Unit>(),
  };
  /** Looked at by nobody, unless somebody does before the sweep. */
  readonly #left: Sight[] = [];

  /** `pause` is called between batches. */
  constructor(options: TranslateOptions, made: Made, pause: () => void) {
    this.#options = options;
    this.#made = made;
    this.#pause = pause;
    this.#recorder = new Recorder({
      aim: (service, port, over) => this.#aim(service, port, over),
      pair: (secret) => this.#pair(secret),
      pods: (backend) => this.#pods(backend),
    });
  }

  /** The backend that an aim leads to, or null. */
  backend(id: string): Backend | null {
    return this.#backends.get(id)?.value ?? null;
  }

  /** The pair of a Secret that somebody named, or null. */
  pair(secret: string): Pair | null {
    return this.#pairs.get(secret)?.value ?? null;
  }

  /** Everything that looked at what changed is made again by `run`; null: everything is. */
  touch(changes: Changes | null): void {
    if (changes === null) {
      for (const units of [this.#aims, this.#backends, this.#pairs]) {
        for (const unit of units.values()) this.soil(unit);
      }
      return;
    }
    for (const [topic, keys] of changes) {
      for (const key of keys) this.#soilAll(topic, key);
      if (keys.size > 0) this.#soilAll(topic, WHOLE);
    }
  }

  /** This unit is made again by `run`. */
  soil(unit: Unit): void {
    const { topic } = unit;
    const own = topic === "Aim" || topic === "Backend" || topic === "Pair";
    this.#dirty[own ? topic : "other"].add(unit);
  }

  /** Makes again what has to be, from the bottom up, and lets go what nobody looks at any more. */
  run(snapshot: Snapshot): void {
    this.#recorder.turn(snapshot);
    let made = 0;
    const sets = Object.values(this.#dirty);
    // Once, as a rule: what is let go can leave room for somebody who had none.
    while (sets.some(({ size }) => size > 0) || this.#left.length > 0) {
      for (const dirty of sets) {
        for (const unit of dirty) {
          this.#make(unit);
          made += 1;
          if (made % BATCH === 0) this.#pause();
        }
      }
      for (let sight = this.#left.pop(); sight !== undefined; sight = this.#left.pop()) {
        this.#sweep(sight);
      }
    }
  }

  /** Forgets a unit and what it said. */
  drop(unit: Unit): void {
    const { output, sights } = unit;
    this.#clean(unit);
    unit.output = NO_OUTPUT;
    unit.sights = NO_SIGHTS;
    unit.value = null;
    for (const sight of this.#links.replace(unit, sights, NO_SIGHTS)) this.#left.push(sight);
    this.#made(unit, output, NO_OUTPUT);
  }

  #clean(unit: Unit): void {
    for (const dirty of Object.values(this.#dirty)) dirty.delete(unit);
  }

  #make(unit: Unit): void {
    this.#clean(unit);
    const { value: before, output, sights } = unit;
    const draft = new Draft(this.#options);
    const made = this.#recorder.record(() => unit.make(this.#recorder, draft));
    const value = made.ok ? made.value : (before ?? unit.spare);
    if (made.ok) unit.sound = { output: draft.output(), sights: made.sights };
    const outcome = made.ok ? unit.sound : failed(unit, made);
    unit.output = outcome.output;
    unit.sights = outcome.sights;
    for (const sight of this.#links.replace(unit, sights, unit.sights)) this.#left.push(sight);
    if (!Bun.deepEquals(before, value, true)) {
      unit.value = value;
      this.#valueMoved(unit, before);
    }
    this.#made(unit, output, unit.output);
  }

  /** Of a backend nothing but the number of its pods is looked at. */
  #valueMoved(unit: Unit, before: unknown): void {
    if (unit.topic !== "Backend") return this.#soilAll(unit.topic, unit.key);
    const pods = (unit.value as Backend).endpoints.length;
    if ((before as Backend | null)?.endpoints.length !== pods) this.#soilAll("Pods", unit.key);
  }

  #soilAll(topic: Seen, key: string): void {
    for (const unit of this.#links.of(topic, key)) this.soil(unit);
  }

  #aim(service: string, port: number | string, over: Readonly<AskedBackend> | null): Aim {
    const key = `${service} ${JSON.stringify(port)}${over === null ? "" : JSON.stringify(over)}`;
    const aim = this.#wanted(this.#aims, key, () => {
      return new Unit(
        "Aim",
        key,
        (view, draft) => {
          const made = aimAt(view, draft, { key: service, wanted: port, over });
          if (!made.ok) return made;
          if (made.over !== null && !this.#ways.take(made.backend)) {
            this.#recorder.note("Ways", plainId(made.backend));
            return CROWDED;
          }
          this.#lead(made.backend, made.over);
          return made;
        },
        UNAIMED,
      );
    });
    this.#recorder.note("Aim", key);
    return aim;
  }

  /** Keeps the backend of an aim alive, and makes it if it is new. */
  #lead(id: string, over: Readonly<AskedBackend> | null): void {
    this.#recorder.note("Backend", id);
    this.#wanted(this.#backends, id, () => {
      // What its Secret held when it was good outlives its next making, as a pair does.
      const kept: Kept = { secret: "", material: null };
      return new Unit<Backend>(
        "Backend",
        id,
        (view, draft) => backendOf(view, draft, { id, over, kept }),
        nobody(id, BUG),
      );
    });
  }

  /** A piece with a memory: what was good is kept for as long as somebody looks at it. */
  #pair(secret: string): Pair {
    const pair = this.#wanted(this.#pairs, secret, () => {
      const unit: Unit<Pair> = new Unit(
        "Pair",
        secret,
        (view, draft) => pairOf(view, draft, secret, unit.value),
        UNPAIRED,
      );
      return unit;
    });
    this.#recorder.note("Pair", secret);
    return pair;
  }

  #pods(backend: string): number {
    this.#recorder.note("Pods", backend);
    return this.backend(backend)?.endpoints.length ?? 0;
  }

  /** Those that are there are made by now: `run` makes from the bottom up. */
  #wanted<T>(units: Map<string, Unit<T>>, key: string, create: () => Unit<T>): T {
    let unit = units.get(key);
    if (unit === undefined) {
      unit = create();
      units.set(key, unit);
      this.#make(unit);
    }
    return unit.value!;
  }

  #sweep({ topic, key }: Sight): void {
    const shared = { Aim: this.#aims, Backend: this.#backends, Pair: this.#pairs };
    const own = topic === "Aim" || topic === "Backend" || topic === "Pair";
    const units: Map<string, Unit> | null = own ? shared[topic] : null;
    const unit = units?.get(key);
    if (unit === undefined || this.#links.has(topic, key)) return;
    units?.delete(key);
    this.drop(unit);
    if (topic === "Backend" && this.#ways.give(key)) this.#soilAll("Ways", plainId(key));
  }
}

/**
 * What makes one piece fail must not keep all others from being made: what it said before stays. A
 * change of what it looked at then, or this time, can mend it.
 */
function failed({ topic, key, sound }: Unit, { error, sights }: Failure): Outcome {
  const findings = new Map<string, Finding>(sound.output.findings);
  note(findings, bugOf({ topic, key, sound }, error));
  const seen = [...sound.sights, ...sights].map((sight) => [sightKey(sight), sight] as const);
  return { output: { ...sound.output, findings }, sights: [...new Map(seen).values()] };
}

/** Such a failure is rind's own, whatever the object holds. */
function bugOf(
  { topic, key, sound }: Pick<Unit, "topic" | "key" | "sound">,
  error: unknown,
): Finding {
  const service = topic === "Aim" || topic === "Backend";
  const kind = service ? "Service" : topic === "Pair" ? "Secret" : topic;
  const never = sound.output === NO_OUTPUT;
  const [, namespace = "", name = ""] = /^([^/]*)\/([^ :]*)/.exec(key) ?? [];
  return {
    level: "error",
    kind,
    namespace,
    name,
    field: "",
    reason: `this version of rind cannot translate it: ${String(error)}`,
    hint: "please report it, with this object",
    effect: never ? "nothing of it is served" : "what was served before stays as it is",
  };
}
