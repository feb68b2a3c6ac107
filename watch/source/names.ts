/**
 * What DNS says of the names that ExternalName Services have: asked off the request path, again
 * when the answer is as old as it may be, and kept for as long as DNS fails. That there is no such
 * name is an answer too, though one that is often a mistake: it is believed after a while.
 *
 *     want ──► A and AAAA at once ──► told, sorted ──► after its TTL, 5 s to 5 min ──► asked again
 *                    │ failed: the addresses of before stay, and it is asked again, ever later
 *                    │ no address: so too, and after 10 min none is left
 */
import { promises } from "node:dns";
import { isIP } from "node:net";

import type { Cancel, Clock } from "../../core/clock.ts";
import type { Random } from "../../core/random.ts";
import type { Resolved } from "../snapshot.ts";
import type { Source, SourceEvent } from "./source.ts";

/** Followed at once; names beyond are told to have no address, and why. */
const NAMES_MAX = 1_000;
/** Used of one name, the first ones in order. */
const ADDRESSES_MAX = 64;
/** Questions in flight at once; the others wait for their turn. */
const ASKING_MAX = 32;
/** However short or long a TTL is. */
const TTL_MIN_MS = 5_000;
const TTL_MAX_MS = 300_000;
/** An answer that is not here by then is none. */
const ANSWER_MS = 5_000;
/** A name that DNS does not know has no address after so long: it is another one's by then. */
const ABSENT_MAX_MS = 600_000;
/** A lost datagram is not worth a word where addresses are known: so many failures are. */
const FAILURES_TOLD = 2;
const QUERY = { timeout: 2_000, tries: 2 };
const TTL = { ttl: true } as const;
const ABSENT: ReadonlySet<string> = new Set(["ENOTFOUND", "ENODATA"]);
const SILENT = "DNS does not answer";
const REASONS: ReadonlyMap<string, string> = new Map([
  ["ETIMEOUT", SILENT],
  ["ECONNREFUSED", "the name server cannot be reached"],
  ["ESERVFAIL", "DNS fails (SERVFAIL)"],
  ["EREFUSED", "DNS refuses to answer (REFUSED)"],
]);

/** What DNS answers about one family of addresses; an empty list is an answer too. */
export type Answer =
  | Readonly<{ ok: true; addresses: readonly string[]; ttlMs: number }>
  | Readonly<{ ok: false; reason: string }>;

/** Asks DNS once. Never rejects; need not end. */
export type Lookup = (name: string, family: 4 | 6) => Promise<Answer>;

export type NamesConfig = Readonly<{ clock: Clock; random: Random; lookup: Lookup }>;

/**
 * The source, with what DNS says of the names that are wanted of it. Names are absolute: no search
 * list and no /etc/hosts. A name that is wanted no more is forgotten.
 */
export function withNames(source: Source, config: NamesConfig): Source {
  let names: Names | null = null;
  return {
    watch: (sink) => {
      names = new Names(config, sink);
      source.watch(sink);
    },
    stop: () => {
      names?.stop();
      source.stop();
    },
    want: (wants) => {
      names?.want(wants.names);
      source.want?.(wants);
    },
    settled: () => (names?.settled() ?? true) && (source.settled?.() ?? true),
    feeds: () => source.feeds?.() ?? [],
  };
}

/** Asks the name servers of this machine (resolv.conf), or those given, such as `127.0.0.1:53`. */
export function systemLookup(servers: readonly string[] | null = null): Lookup {
  const resolver = new promises.Resolver(QUERY);
  if (servers !== null) resolver.setServers(servers);
  return async (name, family) => {
    try {
      const ask = family === 4 ? resolver.resolve4(name, TTL) : resolver.resolve6(name, TTL);
      const records = await ask;
      const ttls = records.map(({ ttl }) => ttl * 1_000);
      const addresses = records.map(({ address }) => address);
      return { ok: true, addresses, ttlMs: Math.min(TTL_MAX_MS, ...ttls) };
    } catch (error) {
      const code = codeOf(error);
      // The name, or only this family of it: that is for whoever knows both answers to say.
      if (ABSENT.has(code)) return { ok: true, addresses: [], ttlMs: TTL_MAX_MS };
      return { ok: false, reason: REASONS.get(code) ?? `DNS answers ${code}` };
    }
  };
}

function codeOf(error: unknown): string {
  const code = error instanceof Error && "code" in error ? error.code : "";
  return typeof code === "string" && code !== "" ? code : "nothing that can be read";
}

/** One name that is followed. */
type Followed = {
  readonly name: string;
  v4: readonly string[];
  v6: readonly string[];
  failures: number;
  /** Since when DNS answers that it has no address, or null. */
  absentAt: number | null;
  /** What was told last, so that nothing is told twice. */
  told: Resolved | null;
  cancel: Cancel | null;
};

class Names {
  readonly #config: NamesConfig;
  readonly #sink: (event: SourceEvent) => void;
  readonly #followed = new Map<string, Followed>();
  /** Names for which there was no room, and which have been told so. */
  readonly #refused = new Set<string>();
  /** Waiting for a question to end. */
  readonly #waiting = new Set<Followed>();
  #asking = 0;
  #stopped = false;

  constructor(config: NamesConfig, sink: (event: SourceEvent) => void) {
    this.#config = config;
    this.#sink = sink;
  }

  want(wanted: ReadonlySet<string>): void {
    if (this.#stopped) return;
    for (const followed of this.#followed.values()) {
      if (!wanted.has(followed.name)) this.#forget(followed);
    }
    for (const name of this.#refused) {
      if (wanted.has(name) && this.#followed.size >= NAMES_MAX) continue;
      this.#refused.delete(name);
      this.#tell(name, null);
    }
    for (const name of wanted) {
      if (this.#followed.has(name) || this.#refused.has(name)) continue;
      if (this.#followed.size < NAMES_MAX) this.#follow(name);
      else this.#refuse(name);
    }
  }

  settled(): boolean {
    for (const { told } of this.#followed.values()) if (told === null) return false;
    return true;
  }

  stop(): void {
    this.#stopped = true;
    for (const followed of this.#followed.values()) followed.cancel?.();
    this.#followed.clear();
    this.#waiting.clear();
  }

  #follow(name: string): void {
    const nothing = { v4: [], v6: [], failures: 0, absentAt: null, told: null, cancel: null };
    const followed = { name, ...nothing };
    this.#followed.set(name, followed);
    this.#ask(followed);
  }

  #forget(followed: Followed): void {
    followed.cancel?.();
    this.#followed.delete(followed.name);
    this.#waiting.delete(followed);
    if (followed.told !== null) this.#tell(followed.name, null);
  }

  #refuse(name: string): void {
    this.#refused.add(name);
    const problem = `more than ${NAMES_MAX} names are wanted, and ${name} is not among the first`;
    this.#tell(name, { addresses: [], problem });
  }

  #ask(followed: Followed): void {
    if (this.#asking >= ASKING_MAX) {
      this.#waiting.add(followed);
      return;
    }
    this.#asking += 1;
    const { lookup } = this.#config;
    let open = true;
    const end = (v4: Answer, v6: Answer): void => {
      if (!open) return;
      open = false;
      late();
      this.#asking -= 1;
      if (!this.#stopped) this.#answered(followed, v4, v6);
    };
    const silent: Answer = { ok: false, reason: SILENT };
    const late = this.#config.clock.after(ANSWER_MS, () => end(silent, silent));
    void Promise.all([lookup(followed.name, 4), lookup(followed.name, 6)]).then(([v4, v6]) =>
      end(v4, v6),
    );
  }

  #answered(followed: Followed, v4: Answer, v6: Answer): void {
    const [next] = this.#waiting;
    if (next !== undefined) {
      this.#waiting.delete(next);
      this.#ask(next);
    }
    // It may be wanted no more, or wanted anew.
    if (this.#followed.get(followed.name) !== followed) return;
    const answers = [v4, v6].filter((answer) => answer.ok && answer.addresses.length > 0);
    const problem = answers.length > 0 ? "" : problemOf(v4, v6);
    if (problem === "") {
      // A family about which there is no answer keeps what it had.
      if (v4.ok) followed.v4 = usable(v4.addresses);
      if (v6.ok) followed.v6 = usable(v6.addresses);
      followed.failures = 0;
      followed.absentAt = null;
    } else {
      followed.failures += 1;
      if (v4.ok && v6.ok) this.#miss(followed);
    }
    this.#update(followed, problem);
    const waitMs = problem === "" ? ttlOf(answers) : this.#patience(followed.failures);
    followed.cancel = this.#config.clock.after(waitMs, () => this.#ask(followed));
  }

  /** Servers that fail meanwhile say nothing about it, and so they do not begin it anew. */
  #miss(followed: Followed): void {
    const now = this.#config.clock.now();
    followed.absentAt ??= now;
    if (now - followed.absentAt < ABSENT_MAX_MS) return;
    followed.v4 = [];
    followed.v6 = [];
  }

  #update(followed: Followed, problem: string): void {
    const addresses = [...followed.v4, ...followed.v6].slice(0, ADDRESSES_MAX);
    const known = addresses.length > 0;
    const told = known && followed.failures < FAILURES_TOLD ? "" : problem;
    const resolved = { addresses, problem: told };
    if (Bun.deepEquals(resolved, followed.told, true)) return;
    followed.told = resolved;
    this.#tell(followed.name, resolved);
  }

  /** Twice as long after each failure, and up to half of that more: names must not come at once. */
  #patience(failures: number): number {
    const baseMs = Math.min(TTL_MIN_MS * 2 ** Math.min(failures - 1, 16), TTL_MAX_MS);
    return Math.min(TTL_MAX_MS, baseMs + this.#config.random.below(Math.ceil(baseMs / 2)));
  }

  #tell(name: string, resolved: Resolved | null): void {
    this.#sink({ type: "name", name, resolved });
  }
}

function problemOf(v4: Answer, v6: Answer): string {
  if (!v4.ok) return v4.reason;
  return v6.ok ? "DNS knows no address of it" : v6.reason;
}

/** In an order of their own, since servers turn theirs with every answer. */
function usable(addresses: readonly string[]): readonly string[] {
  return [...new Set(addresses)].filter((address) => isIP(address) !== 0).sort();
}

function ttlOf(answers: readonly Answer[]): number {
  const ttls = answers.map((answer) => (answer.ok ? answer.ttlMs : TTL_MAX_MS));
  return Math.max(TTL_MIN_MS, Math.min(TTL_MAX_MS, ...ttls));
}
