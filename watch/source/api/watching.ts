/**
 * One watch, from its request to its end. It ends for one of few reasons, and it always ends: a
 * watch that is silent for too long is given up.
 */
import { unreachable } from "../../../core/assert.ts";
import type { Cancel, Clock } from "../../../core/clock.ts";
import type { ApiClient, ApiFailure, ApiRequest } from "./api.ts";
import { GONE } from "./codes.ts";
import { type Frame, readFrame } from "./frames.ts";

/**
 * Silence of this length is death or peace: bookmarks come each minute (cacher.go), but none where
 * nothing was new (seen on 1.34). Only another request can tell, and it costs next to nothing.
 */
const SILENCE_MAX_MS = 90_000;

/**
 * Why a watch ended. `empty`: it was closed, and nothing had come. `garbled`: what came is no
 * watch, and a part of it may be lost.
 */
export type Ending =
  | Readonly<{ why: "closed" | "empty" | "silent" | "expired" }>
  | Readonly<{ why: "garbled"; reason: string }>
  | Readonly<{ why: "failed"; failure: ApiFailure }>;

/** Who hears a watch. `ended` comes once, last; `livedMs` counts from the server's answer. */
export type Watcher = Readonly<{
  opened: () => void;
  took: (frame: Exclude<Frame, { type: "error" }>) => void;
  ended: (ending: Ending, livedMs: number) => void;
}>;

/** Who is asked, and for how long it may be silent, 90 s if not given. */
export type WatchTerms = Readonly<{ client: ApiClient; clock: Clock; silenceMaxMs?: number }>;

/** A watch that has been asked for. */
export class Watching {
  readonly #kind: string;
  readonly #clock: Clock;
  readonly #watcher: Watcher;
  readonly #silenceMaxMs: number;
  #hangUp = (): void => {};
  #over = false;
  /** Whether anything has come. */
  #began = false;
  #openedAt: number | null = null;
  #heardAt: number;
  #cancelSilence: Cancel = () => {};

  /** `kind` is that of the objects. */
  constructor(
    terms: WatchTerms & Readonly<{ kind: string }>,
    request: ApiRequest,
    watcher: Watcher,
  ) {
    this.#kind = terms.kind;
    this.#clock = terms.clock;
    this.#watcher = watcher;
    this.#silenceMaxMs = terms.silenceMaxMs ?? SILENCE_MAX_MS;
    this.#heardAt = terms.clock.now();
    this.#listen(this.#silenceMaxMs);
    this.#hangUp = terms.client.stream(request, {
      opened: () => this.#opened(),
      line: (line) => this.#heard(line),
      closed: (failure) => this.#closed(failure),
    });
  }

  /** Ends it; nothing is told any more. */
  stop(): void {
    if (this.#over) return;
    this.#over = true;
    this.#cancelSilence();
    this.#hangUp();
  }

  #opened(): void {
    if (this.#over) return;
    this.#openedAt = this.#clock.now();
    this.#heardAt = this.#openedAt;
    this.#watcher.opened();
  }

  #heard(line: string): void {
    if (this.#over) return;
    this.#heardAt = this.#clock.now();
    this.#began = true;
    const frame = readFrame(line, this.#kind);
    if (frame === null) return this.#end({ why: "garbled", reason: "a line is not an event" });
    switch (frame.type) {
      case "mark":
      case "put":
      case "gone":
        return this.#watcher.took(frame);
      case "error":
        return this.#failed(frame);
      default:
        return unreachable(frame);
    }
  }

  #failed({ code: status, reason, retryAfterMs }: Extract<Frame, { type: "error" }>): void {
    const failure: ApiFailure = { ok: false, status, reason, retryAfterMs, body: null };
    this.#end(status === GONE ? { why: "expired" } : { why: "failed", failure });
  }

  #closed(failure: ApiFailure | null): void {
    if (failure === null) this.#end({ why: this.#began ? "closed" : "empty" });
    else if (failure.status === GONE) this.#end({ why: "expired" });
    else this.#end({ why: "failed", failure });
  }

  /** One timer for all lines: it looks how long ago the last one was, and sleeps for the rest. */
  #listen(ms: number): void {
    this.#cancelSilence = this.#clock.after(ms, () => {
      const restMs = this.#heardAt + this.#silenceMaxMs - this.#clock.now();
      if (restMs > 0) return this.#listen(restMs);
      this.#end({ why: "silent" });
    });
  }

  #end(ending: Ending): void {
    if (this.#over) return;
    this.stop();
    const livedMs = this.#openedAt === null ? 0 : this.#clock.now() - this.#openedAt;
    this.#watcher.ended(ending, livedMs);
  }
}
