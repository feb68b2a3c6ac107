/**
 * The control loop: source → store → holdoff → translate what changed → publish. Events are noted
 * as they come and acted on at the loop's own pace; whatever goes wrong, the last good model stays.
 */
import { unreachable } from "../core/assert.ts";
import type { Cancel, Clock } from "../core/clock.ts";
import { EMPTY_MODEL, type Model } from "../core/model.ts";
import { Cursors } from "./cursors.ts";
import { equal } from "./diff.ts";
import { type Finding, newIn, stillIn } from "./finding.ts";
import { Expiry } from "./expiry.ts";
import { Holdoff } from "./holdoff.ts";
import { type Saved, staleFinding } from "./saved.ts";
import type { Kind, KubeObject } from "./objects.ts";
import type { Changes, Snapshot } from "./snapshot.ts";
import type { Source, SourceEvent, Wants } from "./source/source.ts";
import { Store, isEndpoints } from "./store.ts";
import { NOTHING_TOLD, type Told, freshOf, sameTold } from "./told.ts";
import type { CertificateFacts } from "./translate/certificates.ts";
import { NOTHING, type Translation } from "./translate/draft.ts";
import { Wait } from "./wait.ts";

const HOLDOFF = { quietMs: 10, maxMs: 100 };
/** After a publish that failed, the same is tried again. */
const RETRY_MS = 1_000;
/** A sync that has not come by then is waited for with the saved state, if there is one. */
const GRACE_MS = 3_000;
/** Shown as long as translate fails, which is a bug whatever the objects hold. */
const BUG: Finding = {
  level: "error",
  kind: "Rind",
  namespace: "",
  name: "translate",
  field: "",
  reason: "",
  hint: "please report it, with the objects that changed last",
  effect: "the routes of before stay as they are",
};

/** What is live from now on, with everything there is to say about it. */
export type Published = Readonly<{
  /** A version that was seen before means that only something else here changed. */
  model: Model;
  /** What there is to say of the certificates of the model, in their order. */
  certificates: readonly CertificateFacts[];
  /** All there are: those of the source first. */
  findings: readonly Finding[];
  /** Those that were not published before. */
  fresh: readonly Finding[];
  /** The Ingresses that are ours, by `namespace/name`. */
  ours: ReadonlySet<string>;
  /** How many Ingresses there are that are not. */
  others: number;
  wants: Wants;
  /** The saved state is served, and was true so long ago; null: it is what the source tells. */
  keptMs: number | null;
}>;

/** Translates a snapshot, given what changed since its last call; null: anything may have. */
export type Translate = (snapshot: Snapshot, changes: Changes | null) => Translation;

export type LoopConfig = Readonly<{
  clock: Clock;
  /** Milliseconds of Unix, which certificates are dated by. */
  wall: () => number;
  source: Source;
  /**
   * Gives a translate that remembers nothing yet: one at the start, and one after each that threw.
   * The loop gives each model its version and cursors, and adds the findings of the source.
   */
  translator: () => Translate;
  /** Where the model is kept for the next start; nowhere if not given. */
  saved?: Pick<Saved, "load" | "save" | "stop">;
  /** Makes a model live. One call at a time: the next one waits for the promise. */
  publish: (published: Published) => Promise<void> | void;
  /** Hears once of each thing that should not happen: a bug in translate, a failed publish. */
  report: (what: string, error: unknown) => void;
}>;

const NOTHING_PUBLISHED: Published = { ...NOTHING, model: EMPTY_MODEL, others: 0, keptMs: null };
const NO_FINDINGS: readonly Finding[] = [];

/** Versions start at 1 and grow by one with each model that differs from the one before. */
export class Loop {
  readonly #config: LoopConfig;
  readonly #store = new Store();
  readonly #cursors = new Cursors();
  readonly #holdoff: Holdoff;
  readonly #expiry: Expiry;
  #sourceFindings: readonly Finding[] = [];
  #synced = false;
  #stopped = false;
  /** The last good translation. The version of its model is 0 until there is one. */
  #good: Translation = NOTHING;
  /** That is the saved state, and was true so long ago; null: it is of the source. */
  #keptMs: number | null = null;
  /** Null after a failure: the next one starts afresh. */
  #translator: Translate | null = null;
  /** Whether a model of the source has been published. */
  #begun = false;
  readonly #wait: Wait;
  /** What was published last, and what its findings were put together from. */
  #published = NOTHING_PUBLISHED;
  #told: Told = NOTHING_TOLD;
  /** Whether the last publish failed. */
  #unpublished = false;
  #publishing = false;
  /** Whether something changed while a publish was running. */
  #stale = false;
  #cancelRetry: Cancel | null = null;
  #cancelGrace: Cancel | null = null;
  /** Failures that have been reported and are not over. */
  #translateFailure = "";
  #publishFailure = "";

  constructor(config: LoopConfig) {
    this.#config = config;
    const { clock, wall } = config;
    this.#holdoff = new Holdoff(clock, HOLDOFF, () => this.#turn());
    this.#expiry = new Expiry({ clock, wall, moved: () => this.#touch(false) });
    this.#wait = new Wait(clock, () => config.source.settled?.() ?? true);
  }

  /**
   * Starts to follow the source. Nothing is published before all that it knows is here, but the
   * saved state when that takes long.
   */
  start(): void {
    const { clock, source } = this.#config;
    this.#cancelGrace = clock.after(GRACE_MS, () => void this.#standIn());
    source.watch((event) => this.#received(event));
  }

  /** The object as last heard of. */
  object(kind: Kind, key: string): KubeObject | undefined {
    return this.#store.objects(kind).get(key);
  }

  /** Publishes nothing any more; a publish that runs is left to finish. */
  stop(): void {
    this.#stopped = true;
    this.#config.source.stop();
    this.#holdoff.cancel();
    this.#expiry.stop();
    this.#cancelRetry?.();
    this.#cancelGrace?.();
    this.#config.saved?.stop();
  }

  #received(event: SourceEvent): void {
    switch (event.type) {
      case "put":
      case "gone":
      case "replace":
      case "absent":
      case "name":
        if (this.#store.apply(event)) this.#touch(isEndpoints(event));
        return;
      case "findings":
        this.#sourceFindings = event.findings;
        return this.#touch(false);
      case "synced":
        this.#synced = true;
        this.#wait.begin();
        return this.#touch(true);
      default:
        return unreachable(event);
    }
  }

  #touch(urgent: boolean): void {
    if (!this.#synced) return;
    if (urgent) this.#holdoff.hurry();
    else this.#holdoff.touch();
  }

  /** What was served before the start, for as long as nobody says what is there now. */
  async #standIn(): Promise<void> {
    if (this.#synced) return;
    const kept = (await this.#config.saved?.load()) ?? null;
    if (kept === null || this.#synced || this.#stopped) return;
    const { model, ageMs: keptMs } = kept;
    this.#keptMs = keptMs;
    // The cursors of before were of another process.
    this.#good = { ...NOTHING, model: this.#cursors.assign({ ...model, version: 1 }) };
    const bugs = [staleFinding(keptMs)];
    this.#told = { ...this.#told, bugs };
    void this.#publish({ ...this.#good, findings: bugs, fresh: bugs, others: 0, keptMs });
  }

  #turn(): void {
    // Noted, not queued: when the running publish is done, the state of that moment counts.
    this.#stale = this.#publishing;
    if (this.#publishing || this.#stopped) return;
    // Without a sync there is only the saved state, whose publish has failed.
    if (!this.#synced) return void this.#publish(this.#published);
    const snapshot = this.#store.snapshot(this.#sourceFindings);
    const wanted = this.#good.wants;
    const bugs = this.#translate(snapshot);
    const { model, certificates, findings: objects, ours, wants } = this.#good;
    this.#expiry.watch(certificates);
    if (wants !== wanted) {
      this.#config.source.want?.(wants);
      this.#wait.extend();
    }
    // Before there is any good model there is nothing to serve, and nobody to say it to.
    if (model.version === 0) return;
    const leftMs = this.#wait.leftMs();
    if (leftMs > 0) return this.#again(leftMs);
    const held = this.#wait.end();
    const told = { source: snapshot.findings, bugs, expiry: this.#expiry.findings(), objects };
    const last = this.#published;
    const same = sameTold(told, this.#told) && ours === last.ours && wants === last.wants;
    if (same && model === last.model && !this.#unpublished) return;
    const findings = same ? last.findings : [...told.source, ...bugs, ...told.expiry, ...objects];
    // What a publish that failed was to tell may not have been heard.
    const unheard = this.#unpublished ? last.fresh : NO_FINDINGS;
    const news = held
      ? newIn(findings, last.findings)
      : freshOf(told, this.#told, this.#good.fresh);
    const fresh = this.#begun ? [...stillIn(findings, unheard), ...news] : findings;
    this.#begun = true;
    this.#told = told;
    const others = snapshot.ingresses.size - ours.size;
    const said = { certificates, findings, fresh, ours, others, wants };
    void this.#publish({ model, ...said, keptMs: this.#keptMs });
  }

  #again(ms: number): void {
    this.#cancelRetry?.();
    this.#cancelRetry = this.#config.clock.after(ms, () => this.#turn());
  }

  /** Makes the next good translation, or leaves the last one and gives a finding that says so. */
  #translate(snapshot: Snapshot): readonly Finding[] {
    const changes = this.#store.changes();
    const known = this.#translator;
    try {
      const translate = known ?? this.#config.translator();
      this.#translator = null;
      const translation = translate(snapshot, known === null ? null : changes);
      this.#good = this.#next(translation, known === null);
      this.#keptMs = null;
      this.#translator = translate;
      this.#translateFailure = "";
      return NO_FINDINGS;
    } catch (error) {
      const failure = String(error);
      if (failure === this.#translateFailure) return this.#told.bugs;
      this.#config.report("translate failed", error);
      this.#translateFailure = failure;
      const reason = `this version of rind cannot translate the objects: ${failure}`;
      const stale = this.#keptMs === null ? NO_FINDINGS : [staleFinding(this.#keptMs)];
      return [{ ...BUG, reason }, ...stale];
    }
  }

  /** Its model is the last one itself when nothing but the version would differ. */
  #next(translation: Translation, afresh: boolean): Translation {
    const last = this.#good;
    // Not that of the last one, which may never have been published.
    const { version } = this.#published.model;
    const assigned = this.#cursors.assign({ ...translation.model, version: version + 1 });
    // An empty cluster is a model too: it must be served, and seen to be served, as version 1.
    const unchanged = last.model.version > 0 && equal(last.model, assigned);
    const model = unchanged ? last.model : assigned;
    // A translate that remembers nothing takes everything for new.
    const fresh = afresh ? newIn(translation.findings, last.findings) : translation.fresh;
    return { ...translation, model, fresh };
  }

  async #publish(published: Published): Promise<void> {
    if (published.model !== this.#published.model) this.#cursors.published();
    this.#published = published;
    this.#publishing = true;
    const failure = await this.#attempt(published);
    this.#publishing = false;
    this.#unpublished = failure !== "";
    this.#publishFailure = failure;
    if (this.#stopped) return;
    this.#cancelRetry?.();
    this.#cancelRetry = null;
    if (this.#stale) this.#turn();
    else if (this.#unpublished) this.#again(RETRY_MS);
  }

  /** Publishes; the answer is why it failed, or "". */
  async #attempt(published: Published): Promise<string> {
    try {
      await this.#config.publish(published);
      // Saved anew it would never grow old.
      if (published.keptMs === null) this.#config.saved?.save(published.model);
      return "";
    } catch (error) {
      const failure = String(error);
      if (failure !== this.#publishFailure) this.#config.report("publish failed", error);
      return failure;
    }
  }
}
