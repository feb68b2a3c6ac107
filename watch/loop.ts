/**
 * The control loop: source → store → holdoff → snapshot → translate → publish. Events are noted as
 * they come and acted on at the loop's own pace; whatever goes wrong, the last good model stays.
 */
import { unreachable } from "../core/assert.ts";
import type { Cancel, Clock } from "../core/clock.ts";
import { EMPTY_MODEL, type Model } from "../core/model.ts";
import { Cursors } from "./cursors.ts";
import { share } from "./diff.ts";
import type { Finding } from "./finding.ts";
import { Holdoff } from "./holdoff.ts";
import { Camera, type Snapshot } from "./snapshot.ts";
import type { Source, SourceEvent } from "./source/source.ts";
import { Store, type StoreEvent } from "./store.ts";
import { NOTHING, type Translation } from "./translate/draft.ts";

const HOLDOFF = { quietMs: 10, maxMs: 100 };
/** After a publish that failed, the same is tried again. */
const RETRY_MS = 1_000;
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

export type LoopConfig = Readonly<{
  clock: Clock;
  source: Source;
  /**
   * The loop gives the model its version and its cursors, whatever it comes with, and adds the
   * findings of the source, which are to be had even when this fails.
   */
  translate: (snapshot: Snapshot) => Translation;
  /**
   * Makes a model live, with everything there is to say about it. One call at a time: the next
   * one waits for the promise. A version that was seen before means that only findings changed, or
   * whose Ingresses are ours (`ours`).
   */
  publish: (
    model: Model,
    findings: readonly Finding[],
    ours: ReadonlySet<string>,
  ) => Promise<void> | void;
  /** Hears once of each thing that should not happen: a bug in translate, a failed publish. */
  report: (what: string, error: unknown) => void;
}>;

/** Versions start at 1 and grow by one with each model that differs from the one before. */
export class Loop {
  readonly #config: LoopConfig;
  readonly #store = new Store();
  readonly #camera = new Camera(this.#store);
  readonly #cursors = new Cursors();
  readonly #holdoff: Holdoff;
  #sourceFindings: readonly Finding[] = [];
  #synced = false;
  #stopped = false;
  /** The last good translation. The version of its model is 0 until there is one. */
  #good: Translation = NOTHING;
  /** What was published last; the findings are those of the source and of translate. */
  #published: Model = EMPTY_MODEL;
  #findings: readonly Finding[] = [];
  /** Whether the last publish failed. */
  #unpublished = false;
  #publishing = false;
  /** Whether something changed while a publish was running. */
  #stale = false;
  #cancelRetry: Cancel | null = null;
  /** Failures that have been reported and are not over. */
  #translateFailure = "";
  #publishFailure = "";

  constructor(config: LoopConfig) {
    this.#config = config;
    this.#holdoff = new Holdoff(config.clock, HOLDOFF, () => this.#turn());
  }

  /** Starts to follow the source. Nothing is published before all that it knows is here. */
  start(): void {
    this.#config.source.watch((event) => this.#received(event));
  }

  /** Publishes nothing any more; a publish that runs is left to finish. */
  stop(): void {
    this.#stopped = true;
    this.#config.source.stop();
    this.#holdoff.cancel();
    this.#cancelRetry?.();
  }

  #received(event: SourceEvent): void {
    if (this.#stopped) return;
    switch (event.type) {
      case "put":
      case "gone":
      case "replace":
      case "name":
        if (this.#store.apply(event)) this.#touch(isEndpoints(event));
        return;
      case "findings":
        this.#sourceFindings = event.findings;
        return this.#touch(false);
      case "synced":
        this.#synced = true;
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

  #turn(): void {
    // Noted, not queued: when the running publish is done, the state of that moment counts.
    this.#stale = this.#publishing;
    if (this.#publishing || this.#stopped) return;
    const snapshot = this.#camera.take(this.#sourceFindings);
    const bugs = this.#translate(snapshot);
    this.#config.source.want?.(this.#good.wants);
    const { model } = this.#good;
    // Before there is any good model there is nothing to serve, and nobody to say it to.
    if (model.version === 0) return;
    const findings = [...snapshot.findings, ...bugs, ...this.#good.findings];
    const known = model === this.#published && Bun.deepEquals(findings, this.#findings, true);
    if (known && !this.#unpublished) return;
    this.#findings = findings;
    void this.#publish(model, findings);
  }

  /** Makes the next good translation, or leaves the last one and gives a finding that says so. */
  #translate(snapshot: Snapshot): readonly Finding[] {
    try {
      const translation = this.#config.translate(snapshot);
      this.#good = { ...translation, model: this.#next(translation.model) };
      this.#translateFailure = "";
      return [];
    } catch (error) {
      const failure = String(error);
      if (failure !== this.#translateFailure) this.#config.report("translate failed", error);
      this.#translateFailure = failure;
      return [{ ...BUG, reason: `this version of rind cannot translate the objects: ${failure}` }];
    }
  }

  /** The model that follows: the last one itself when nothing but its version would differ. */
  #next(translated: Model): Model {
    const last = this.#good.model;
    const next = this.#cursors.assign({ ...translated, version: last.version + 1 });
    // An empty cluster is a model too: it must be served, and seen to be served, as version 1.
    return last.version === 0 ? next : share(last, next);
  }

  async #publish(model: Model, findings: readonly Finding[]): Promise<void> {
    if (model !== this.#published) this.#cursors.published();
    this.#published = model;
    this.#publishing = true;
    const failure = await this.#attempt(model, findings);
    this.#publishing = false;
    this.#unpublished = failure !== "";
    this.#publishFailure = failure;
    if (this.#stopped) return;
    this.#cancelRetry?.();
    this.#cancelRetry = null;
    if (this.#stale) this.#turn();
    else if (this.#unpublished) {
      this.#cancelRetry = this.#config.clock.after(RETRY_MS, () => this.#turn());
    }
  }

  /** Publishes; the answer is why it failed, or "". */
  async #attempt(model: Model, findings: readonly Finding[]): Promise<string> {
    try {
      await this.#config.publish(model, findings, this.#good.ours);
      return "";
    } catch (error) {
      const failure = String(error);
      if (failure !== this.#publishFailure) this.#config.report("publish failed", error);
      return failure;
    }
  }
}

/** These change with every pod, and a change of theirs routes nothing anew. */
function isEndpoints(event: StoreEvent): boolean {
  if (event.type === "name") return true;
  const kind = event.type === "replace" ? event.kind : event.object.kind;
  return kind === "EndpointSlice" || kind === "Endpoints";
}
