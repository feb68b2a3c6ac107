/** The strict parser's process (strict.mjs) as seen from the run: it starts, tells, settles. */
import { join } from "node:path";

/** A complete request as Node read it. `fields` alternates names and values. */
export type Seen = Readonly<{
  kind: "request";
  id: number;
  address: string;
  method: string;
  url: string;
  fields: readonly string[];
  body: string;
}>;

/** A request whose head was read and whose body never ended. */
export type Cut = Readonly<{ kind: "cut"; address: string }>;

export type ParseError = Readonly<{ kind: "error"; code: string; packet: string }>;

/** What its connections hold: unfinished requests, and bytes behind the last complete one. */
export type Settled = Readonly<{
  kind: "settled";
  busy: number;
  stray: number;
  connections: number;
}>;

type Listening = Readonly<{ kind: "listening"; port: number; methods: readonly string[] }>;
type Line = Seen | Cut | ParseError | Settled | Listening;

/** Longer than this Node does not take to say something it was asked for. */
const SAY_MS = 20_000;

/** Owns the process. `told` collects what it said since `take`. */
export class Strict {
  port = 0;
  methods: ReadonlySet<string> = new Set();
  #told: (Seen | Cut | ParseError)[] = [];
  readonly #child: Bun.Subprocess<"pipe", "pipe", "inherit">;
  #asked: ((line: Settled) => void)[] = [];
  #listening: () => void = () => {};

  constructor(node: string) {
    this.#child = Bun.spawn([node, join(import.meta.dir, "strict.mjs")], {
      stdin: "pipe",
      stdout: "pipe",
      stderr: "inherit",
    });
  }

  /** Starts it; throws when Node is missing or says nothing. */
  static async start(): Promise<Strict> {
    const node = Bun.which("node");
    if (node === null) throw new Error("node is not in PATH, and its parser is the judge here");
    const strict = new Strict(node);
    const listening = new Promise<void>((resolve) => (strict.#listening = resolve));
    void strict.#listen();
    await within(listening, "to listen");
    return strict;
  }

  /** Everything said since the last call, in order. */
  take(): readonly (Seen | Cut | ParseError)[] {
    const told = this.#told;
    this.#told = [];
    return told;
  }

  /** What its connections hold, once it has read what lies in them now. */
  async settle(): Promise<Settled> {
    const answer = new Promise<Settled>((resolve) => this.#asked.push(resolve));
    void this.#child.stdin.write("settle\n");
    void this.#child.stdin.flush();
    return within(answer, "to settle");
  }

  stop(): void {
    this.#child.kill();
  }

  async #listen(): Promise<void> {
    const decoder = new TextDecoder();
    let text = "";
    for await (const part of this.#child.stdout) {
      text += decoder.decode(part, { stream: true });
      const lines = text.split("\n");
      text = lines.pop() ?? "";
      for (const line of lines) this.#hear(JSON.parse(line) as Line);
    }
  }

  #hear(line: Line): void {
    if (line.kind === "settled") this.#asked.shift()?.(line);
    else if (line.kind === "listening") {
      this.port = line.port;
      // `SOURCE` is a method of ICE alone to llhttp, `CONNECT` never gets there.
      this.methods = new Set(line.methods.filter((method) => method !== "SOURCE"));
      this.#listening();
    } else this.#told.push(line);
  }
}

async function within<T>(promise: Promise<T>, what: string): Promise<T> {
  let timer: Timer | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited for node ${what}`)), SAY_MS);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
