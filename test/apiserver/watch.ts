/** Watches: what happened after a version, line by line, with everything that can go wrong. */
import type { Stream } from "./connection.ts";
import { apiVersionOf, type KindRow } from "./kinds.ts";
import { type Change, type Entry, jsonOf } from "./objects.ts";
import type { Selects } from "./select.ts";
import { failure, type Status } from "./status.ts";
import type { Call } from "./call.ts";
import type { Faults } from "./faults.ts";

/** A watch ends by itself: when its time is over the last bookmark comes so long before. */
const LAST_BOOKMARK_MS = 2_000;
const MS_A_SECOND = 1_000;

export type WatchOptions = Readonly<{
  call: Call;
  row: KindRow;
  selects: Selects;
  bookmarkMs: number;
  /** Ends after this time. */
  lifeMs: number;
  /** It tells what is newer than this. */
  since: number;
  faults: Faults;
}>;

/** One open watch. */
export class Watch {
  readonly call: Call;
  readonly #stream: Stream;
  readonly #options: WatchOptions;
  readonly #timers: ReturnType<typeof setTimeout>[] = [];
  readonly #bookmarks: boolean;
  #stalled = false;

  /** `version` of the kind is asked for bookmarks: while nothing is new there is none. */
  constructor(stream: Stream, options: WatchOptions, version: () => number) {
    this.#stream = stream;
    this.#options = options;
    this.call = options.call;
    this.#bookmarks = options.call.query.get("allowWatchBookmarks") === "true";
    const { bookmarkMs, lifeMs, since } = options;
    const cut = options.faults.take("cut", this.call);
    if (cut !== undefined) stream.cutAt = cut.bytes;
    if (this.#bookmarks) {
      const bookmark = (): void => {
        if (version() > since) this.bookmark(version());
      };
      this.#timers.push(setInterval(bookmark, bookmarkMs));
      this.#timers.push(setTimeout(bookmark, Math.max(0, lifeMs - LAST_BOOKMARK_MS)));
    }
    this.#timers.push(setTimeout(() => this.end(), lifeMs));
  }

  /** Nothing will be told any more. */
  get over(): boolean {
    return this.#stream.over;
  }

  /** Tells of a change, if this watch selects the object or did so before. */
  change({ type, row, entry, before }: Change): void {
    const { selects, call } = this.#options;
    if (this.over || row !== this.#options.row) return;
    if (call.namespace !== "" && entry.object.metadata.namespace !== call.namespace) return;
    const is = type !== "DELETED" && selects(entry.object);
    const was = before !== null && selects(before.object);
    if (!is && !was) return;
    this.event(is ? (was ? "MODIFIED" : "ADDED") : "DELETED", entry);
  }

  /** Tells of an object, as often and as truly as the faults allow. */
  event(type: string, entry: Entry): void {
    const { faults } = this.#options;
    const mutated = faults.take("mutate", this.call);
    const object =
      mutated === undefined ? jsonOf(entry) : JSON.stringify(mutated.mutate(entry.object));
    const line = `{"type":"${type}","object":${object}}`;
    if (faults.take("expired", this.call) !== undefined) {
      this.fail(failure(410, "The resourceVersion for the provided watch is too old."));
      return;
    }
    this.line(line);
    if (faults.take("twice", this.call) !== undefined) this.line(line);
    if (faults.take("end", this.call) !== undefined) this.end();
  }

  /** Says that nothing happened up to `version`. */
  bookmark(version: number, initialEnd = false): void {
    const { row } = this.#options;
    const mark = initialEnd ? { annotations: { "k8s.io/initial-events-end": "true" } } : {};
    const metadata = { resourceVersion: String(version), creationTimestamp: null, ...mark };
    const object = { kind: row.kind, apiVersion: apiVersionOf(row), metadata };
    this.line(JSON.stringify({ type: "BOOKMARK", object }));
  }

  /** The ERROR event, and the end, as servers do it. */
  fail(status: Status): void {
    this.line(JSON.stringify({ type: "ERROR", object: status }));
    this.end();
  }

  /** Sends any line, such as one that is no JSON. */
  line(line: string): void {
    const { faults } = this.#options;
    for (const kind of ["stall", "blackhole"] as const) {
      this.#stalled ||= faults.take(kind, this.call) !== undefined;
    }
    if (!this.#stalled) this.#stream.write(`${line}\n`);
  }

  /** A clean end. A watch that is stalled has none. */
  end(): void {
    this.stop();
    if (!this.#stalled) this.#stream.end();
  }

  /** The connection closes in the middle of a line. */
  cut(): void {
    if (this.over) return;
    this.stop();
    this.#stream.write('{"type":"MODIFIED","object":{"kind":"');
    this.#stream.cut();
  }

  /** RST. */
  reset(): void {
    this.stop();
    this.#stream.reset();
  }

  /** Says nothing any more, and keeps the connection. */
  stall(): void {
    this.#stalled = true;
  }

  /** Ends its timers; the connection is somebody else's matter. */
  stop(): void {
    for (const timer of this.#timers) clearTimeout(timer);
  }
}

/** How long a watch lives by its request. */
export function lifeOf(query: URLSearchParams, defaultMs: number): number {
  const seconds = Number(query.get("timeoutSeconds") ?? 0);
  return seconds > 0 ? seconds * MS_A_SECOND : defaultMs;
}
