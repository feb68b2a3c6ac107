/**
 * The request direction: many clients at once send cases to a plane whose one backend is Node's
 * strict parser. Each case comes from a loopback address of its own, which rind tells the backend
 * in a header that clients cannot set; so no case can pretend to be another one.
 */
import { seeded } from "../../core/http1/test/cuts.cases.ts";
import { BUG } from "../../core/fault.ts";
import { tallied } from "../../core/tally.ts";
import { echo } from "../origin.ts";
import { openRig, type Rig } from "../rig.ts";
import { requestCase, type Case } from "./cases.ts";
import { judgeClient, judgeOrigin, type Trial } from "./judge.ts";
import { predict, type Prediction } from "./predict.ts";
import { Strict, type Cut, type ParseError, type Seen } from "./strict.ts";
import { PATIENT, addressOf, visit } from "./visit.ts";

/** One in so many clients says FIN right behind its last byte, and not behind the last answer. */
const EAGER = 4;
/** Clients at once. */
const LANES = 64;
/** How often the origin is asked whether it is at rest, until what it holds is a failure. */
const SETTLE_LOOKS = 1_000;
/** Errors that say nothing about framing: a request was broken off, as it must be at times. */
const HARMLESS = ["ECONNRESET", "EPIPE", "HPE_INVALID_EOF_STATE"];

/** `found` is the case whose fault it is, or null when that is not known. */
export type Failure = Readonly<{ text: string; found: Case | null }>;

/** `relay` puts something between plane and origin: it is given the origin's port. */
export type RequestOptions = Readonly<{ seed: number; relay?: (port: number) => number }>;

type Judged = Trial & Readonly<{ found: Case }>;

/** A plane and its origin. `cases`, `accepted` and `rejected` count what was run. */
export class RequestRun {
  cases = 0;
  accepted = 0;
  rejected = 0;
  readonly #seed: number;
  readonly #strict: Strict;
  readonly #rig: Rig;
  #clients = 0;
  #trials = new Map<string, Judged>();
  #failures: Failure[] = [];
  #bugs = tallied(BUG);

  constructor(options: RequestOptions, strict: Strict) {
    const port = options.relay === undefined ? strict.port : options.relay(strict.port);
    this.#seed = options.seed;
    this.#strict = strict;
    this.#rig = openRig(echo, {
      endpoints: () => [{ address: "127.0.0.1", port, uid: "" }],
      limits: PATIENT,
    });
  }

  /** Starts plane and origin; throws when Node is missing. */
  static async open(options: RequestOptions): Promise<RequestRun> {
    return new RequestRun(options, await Strict.start());
  }

  stop(): void {
    this.#rig.stop();
    this.#strict.stop();
  }

  /** Runs the cases `[from, from + count)` side by side; resolves with what failed. */
  epoch(from: number, count: number): Promise<readonly Failure[]> {
    return this.all(count, (index) => requestCase(this.#seed, from + index));
  }

  /** Runs one case alone; resolves with what failed. */
  solo(found: Case): Promise<readonly Failure[]> {
    return this.all(1, () => found);
  }

  /** Runs `count` cases side by side, made as they are needed. */
  async all(count: number, make: (index: number) => Case): Promise<readonly Failure[]> {
    let next = 0;
    const lane = async (): Promise<void> => {
      while (next < count) await this.#run(make(next++));
    };
    await Promise.all(Array.from({ length: Math.min(LANES, count) }, lane));
    return this.#judge();
  }

  async #run(found: Case): Promise<void> {
    const address = addressOf(this.#clients++);
    const setting = { address, port: this.#rig.port, methods: this.#strict.methods };
    const { bytes, ends } = found;
    const whole = predict(bytes, [bytes.length], setting);
    const cut = JSON.stringify(predict(bytes, ends.length > 1 ? ends : otherEnds(found), setting));
    if (cut !== JSON.stringify(whole)) this.#fail(found, `I1: read in pieces it is ${cut}`);
    const eager = found.index % EAGER === 0;
    const prediction = eager ? leftEarly(whole) : whole;
    const { answers, certain, closes, loose } = prediction;
    const outcome = await visit(
      { port: this.#rig.port, address, bytes, ends },
      {
        answers: certain,
        closes: closes && !loose,
        eager,
        bodiless: (index) => answers[index]?.bodiless ?? false,
      },
    );
    this.cases++;
    for (const answer of answers) {
      if (answer.accepted === null) this.rejected++;
      else this.accepted++;
    }
    const trial = { found, address, prediction, outcome };
    const wrong = judgeClient(trial);
    if (wrong !== "") this.#fail(found, wrong);
    this.#trials.set(address, trial);
  }

  #fail(found: Case | null, text: string): void {
    this.#failures.push({ text, found });
  }

  /** Everybody is done: what the origin saw since the last time must be what was accepted. */
  async #judge(): Promise<readonly Failure[]> {
    await this.#settle();
    const seen = new Map<string, Seen[]>();
    const cuts = new Map<string, number>();
    for (const line of this.#strict.take()) this.#sort(line, seen, cuts);
    for (const [address, trial] of this.#trials) {
      const wrong = judgeOrigin(trial, seen.get(address) ?? [], cuts.get(address) ?? 0);
      if (wrong !== "") this.#fail(trial.found, wrong);
    }
    const bugs = tallied(BUG) - this.#bugs;
    if (bugs > 0) this.#fail(null, `I7: ${bugs} faults \`bug\``);
    this.#bugs += bugs;
    const failures = this.#failures;
    this.#failures = [];
    this.#trials = new Map();
    return failures;
  }

  #sort(line: Seen | Cut | ParseError, seen: Map<string, Seen[]>, cuts: Map<string, number>): void {
    if (line.kind === "error") {
      if (HARMLESS.includes(line.code)) return;
      const owner = /\r\nX-Real-IP: (127\.[\d.]+)\r\n/.exec(line.packet)?.[1] ?? "";
      const trial = this.#trials.get(owner);
      const method = line.packet.slice(0, line.packet.indexOf(" "));
      // A method that Node does not know, in a request that was predicted.
      if (trial?.prediction.foreign.includes(method) === true) return;
      this.#fail(
        trial?.found ?? null,
        `I2: ${line.code} at the origin: ${JSON.stringify(line.packet)}`,
      );
    } else if (!this.#trials.has(line.address)) {
      const what = line.kind === "cut" ? "part of a request" : `${line.method} ${line.url}`;
      this.#fail(null, `I2: ${what} at the origin, of nobody: ${JSON.stringify(line.address)}`);
    } else if (line.kind === "cut") cuts.set(line.address, 1 + (cuts.get(line.address) ?? 0));
    else seen.set(line.address, [...(seen.get(line.address) ?? []), line]);
  }

  /** Waits until nothing is on its way: no client here, no request and no stray byte there. */
  async #settle(): Promise<void> {
    let state = "";
    for (let look = 0; look < SETTLE_LOOKS; look++) {
      const { busy, stray } = await this.#strict.settle();
      const { connections } = this.#rig.plane.counts();
      if (busy === 0 && stray === 0 && connections === 0) return;
      state = `${busy} requests and ${stray} stray bytes at the origin, ${connections} clients`;
      await Bun.sleep(look < SETTLE_LOOKS / 2 ? 0 : 10);
    }
    this.#fail(null, `I3: not at rest: ${state}`);
  }
}

/** FIN inside a body ends the connection by RST, which may eat the answers before it. */
function leftEarly(prediction: Prediction): Prediction {
  const unfinished = prediction.broken > 0 && !prediction.closes;
  return unfinished ? { ...prediction, certain: 0, loose: true } : prediction;
}

/** Another way to cut a case that is sent whole: its codec is tried with it all the same. */
function otherEnds({ bytes, index }: Case): readonly number[] {
  const { length } = bytes;
  const pick = seeded(index);
  if (length < 2) return [length];
  const ends = new Set([length]);
  for (let cuts = 1 + pick(3); cuts > 0; cuts--) {
    ends.add(1 + pick(Math.min(length - 1, pick(2) === 0 ? 400 : length)));
  }
  return [...ends].sort((a, b) => a - b);
}
