/**
 * What was served last, in a file, so that a rind that starts while the API server is away serves
 * that instead of nothing. Routes and, with TLS, private keys are in it: it is readable by its
 * owner only, and its directory belongs in memory (tmpfs).
 *
 * Written beside and renamed, so that a crash leaves the file before. Its time of modification is
 * when the state was last known to be true.
 */
import { constants } from "node:fs";
import { type FileHandle, mkdir, open, readFile, rename, rm, utimes } from "node:fs/promises";
import { join } from "node:path";

import type { Cancel, Clock } from "../core/clock.ts";
import type { Model } from "../core/model.ts";
import type { Finding } from "./finding.ts";
import { FORMAT, type Header, parseState, piecesOf } from "./state.ts";

const FILE = "state";
const FILE_MODE = 0o600;
const FOLDER_MODE = 0o700;
/** Permission bits by which somebody else could change what is served. */
const OTHERS_WRITE = 0o022;
/** Older states are not served: by then most pods have other addresses. */
const AGE_MAX_MS = 24 * 3_600_000;
/** A clock may be set back by this much between two starts. */
const FUTURE_MAX_MS = 60_000;
/** A larger state is not saved, and not read. */
const BYTES_MAX = 256 * 1_024 * 1_024;
const LARGE = `it is larger than ${BYTES_MAX} bytes`;
/** Between the starts of two saves. */
const SAVE_MS = 5_000;
/** How often a state that does not change is marked as still true. */
const STAMP_MS = 60_000;

export type SavedConfig = Readonly<{
  folder: string;
  /** Versions of rind differ in what a model means: each reads its own states only. */
  release: string;
  /** Where the state is from, such as the URL of the API server; that of others is not served. */
  cluster: string;
  /** What else decides what is served, such as classes: a state of other settings is not served. */
  settings: string;
  clock: Clock;
  /** The time of day, milliseconds since 1970. */
  wall: () => number;
  /** Whether what is served is what the cluster has at the moment, as far as anybody knows. */
  current: () => boolean;
  /** Hears why a state is not used, and once in a row why one cannot be saved. */
  report: (what: string, reason: string) => void;
}>;

/** A state that may be served again. */
export type Kept = Readonly<{ model: Model; ageMs: number }>;

type Read = Readonly<{ ok: true; value: Kept }> | Readonly<{ ok: false; reason: string }>;

/** Says that a state of before is served, which was true `ageMs` ago. */
export function staleFinding(ageMs: number): Finding {
  const minutes = Math.max(0, Math.floor(ageMs / 60_000));
  const hours = Math.floor(minutes / 60);
  const age = hours > 0 ? `${hours} h ${minutes % 60} min` : `${minutes} min`;
  return {
    level: "warning",
    kind: "Rind",
    namespace: "",
    name: "state",
    field: "",
    reason: `serves the state of ${age} ago: the API server has not told what there is now`,
    hint: "",
    effect: "what has changed since then is not served yet",
  };
}

/** Keeps one state in one folder. Nothing here throws or rejects. */
export class Saved {
  readonly #config: SavedConfig;
  readonly #path: string;
  /** What is to be saved next, or null. */
  #next: Model | null = null;
  #last: Model | null = null;
  #cancel: Cancel | null = null;
  #saving = false;
  #nextAt = 0;
  #failure = "";
  #stopped = false;

  constructor(config: SavedConfig) {
    this.#config = config;
    this.#path = join(config.folder, FILE);
  }

  /** The state of before, or null: there is none, or it is no good, which has been reported. */
  async load(): Promise<Kept | null> {
    const read = await this.#read();
    if (read === null || read.ok) return read === null ? null : read.value;
    this.#config.report("the saved state is not used", read.reason);
    return null;
  }

  /** Saves a model soon: at most each 5 s, then the newest one, and the same one only once. */
  save(model: Model): void {
    if (this.#stopped || model === this.#last) return;
    this.#last = model;
    this.#next = model;
    if (!this.#saving) this.#schedule();
  }

  /** Saves nothing any more. */
  stop(): void {
    this.#stopped = true;
    this.#cancel?.();
  }

  #schedule(): void {
    this.#cancel?.();
    const { clock } = this.#config;
    const waitMs = this.#next === null ? STAMP_MS : Math.max(0, this.#nextAt - clock.now());
    this.#cancel = clock.after(waitMs, () => void this.#turn());
  }

  async #turn(): Promise<void> {
    const model = this.#next;
    const startAt = this.#config.clock.now();
    this.#next = null;
    this.#saving = true;
    const failure = model === null ? await this.#stamp() : await this.#write(model);
    this.#saving = false;
    if (failure !== "" && failure !== this.#failure) {
      this.#config.report("the state is not saved", failure);
    }
    this.#failure = failure;
    this.#nextAt = startAt + (failure === "" ? SAVE_MS : STAMP_MS);
    // What could not be saved is tried again, unless there is a newer one by now; and a file that
    // cannot be marked is most likely gone.
    if (failure !== "") this.#next ??= this.#last;
    if (!this.#stopped) this.#schedule();
  }

  /** The file is as true now as when it was written. */
  async #stamp(): Promise<string> {
    // That of a cluster which cannot be heard is as old as it is.
    if (!this.#config.current()) return "";
    const now = this.#config.wall() / 1_000;
    return attempt(async () => {
      await utimes(this.#path, now, now);
      return "";
    });
  }

  async #write(model: Model): Promise<string> {
    const { folder } = this.#config;
    const fresh = `${this.#path}.new`;
    const failure = await attempt(async () => {
      await mkdir(folder, { recursive: true, mode: FOLDER_MODE });
      // What a crash left, whoever can read it: the new one is made anew, with its own mode.
      await rm(fresh, { force: true });
      const file = await open(fresh, "wx", FILE_MODE);
      let reason: string;
      try {
        reason = await this.#fill(file, model);
      } finally {
        await file.close();
      }
      if (reason === "") await rename(fresh, this.#path);
      return reason;
    });
    if (failure !== "") await attempt(() => this.#discard(fresh));
    return failure;
  }

  /** Half a state is of no use, and on a full disk it takes the room of others. */
  async #discard(fresh: string): Promise<string> {
    await rm(fresh, { force: true });
    return "";
  }

  /** The answer is why it cannot be, or "". */
  async #fill(file: FileHandle, model: Model): Promise<string> {
    const { wall } = this.#config;
    const header = this.#header();
    const sum = new Bun.CryptoHasher("sha256");
    let bytes = 0;
    for (const text of piecesOf(header, model)) {
      const piece = Buffer.from(text, "utf8");
      bytes += piece.length;
      if (bytes > BYTES_MAX) return LARGE;
      sum.update(piece);
      await file.appendFile(piece);
    }
    await file.appendFile(`${JSON.stringify({ sha256: sum.digest("hex") })}\n`);
    const now = wall() / 1_000;
    await file.utimes(now, now);
    await file.sync();
    return "";
  }

  async #read(): Promise<Read | null> {
    const opened = await this.#open();
    if (typeof opened === "string") return opened === "" ? null : refuse(opened);
    const { text, ageMs } = opened;
    if (ageMs > AGE_MAX_MS) return refuse(`it is ${Math.floor(ageMs / 3_600_000)} h old`);
    if (ageMs < -FUTURE_MAX_MS) return refuse("it is from the future, or the clock was set back");
    const model = parseState(text, this.#header());
    return model.ok ? { ok: true, value: { model: model.value, ageMs } } : model;
  }

  #header(): Header {
    const { release, cluster, settings } = this.#config;
    return { rind: "state", format: FORMAT, release, cluster, settings };
  }

  /** The file and its age; or why it cannot be had, "" when it is not there. */
  async #open(): Promise<Readonly<{ text: string; ageMs: number }> | string> {
    let found: Readonly<{ text: string; ageMs: number }> | string = "";
    const failure = await attempt(async () => {
      // Nobody's link: it could lead to anything that rind may read.
      const file = await open(this.#path, constants.O_RDONLY | constants.O_NOFOLLOW);
      try {
        const { mode, size, mtimeMs } = await file.stat();
        if ((mode & OTHERS_WRITE) !== 0) found = "others than its owner may write to it";
        else if (size > BYTES_MAX) found = LARGE;
        else {
          const text = await readFile(file, "utf8");
          found = { text, ageMs: this.#config.wall() - mtimeMs };
        }
      } finally {
        await file.close();
      }
      return "";
    });
    return failure.startsWith("ENOENT") ? "" : failure || found;
  }
}

/** Does something with files; the answer is why it could not be done, or "". */
async function attempt(act: () => Promise<string>): Promise<string> {
  try {
    return await act();
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function refuse(reason: string): Readonly<{ ok: false; reason: string }> {
  return { ok: false, reason };
}
