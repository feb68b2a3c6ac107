/**
 * The response direction: many clients at once ask a plane whose one backend is hostile. What each
 * of them reads must be one response for each request, its own, or a response that is visibly cut.
 */
import { BUG } from "../../core/fault.ts";
import { tallied } from "../../core/tally.ts";
import { statusOf, valuesOf, type Message } from "../message.ts";
import { echo } from "../origin.ts";
import { openRig, type Rig } from "../rig.ts";
import { responseCase, type Case } from "./cases.ts";
import { HANDSHAKE } from "./grammar.ts";
import { BODY_BYTE, Hostile, attackOf, type Attack } from "./hostile.ts";
import { pieces } from "./pieces.ts";
import type { Failure } from "./requests.ts";
import { PATIENT, addressOf, visit, type Outcome } from "./visit.ts";

const LANES = 64;
/** One in so many clients says FIN right behind its last byte. */
const EAGER = 5;
const SETTLE_LOOKS = 1_000;
/** Answers of rind itself about its backend. */
const OWN = [502, 503, 504];

/** A body comes slowly enough for an answer before its end. */
const BODY_PIECES = 4;
const BODY_PIECE = 10;

/** How the client asks. */
type Asking = Readonly<{
  method: string;
  minor: number;
  switches: boolean;
  requests: number;
  bytes: Buffer;
  ends: readonly number[];
}>;

/** A plane and its hostile backend. `relayed` of `cases` were answered with what that sent. */
export class ResponseRun {
  cases = 0;
  relayed = 0;
  readonly #seed: number;
  readonly #hostile = new Hostile();
  readonly #rig: Rig;
  #clients = 0;
  #failures: Failure[] = [];
  #bugs = tallied(BUG);

  constructor(seed: number, relay?: (port: number) => number) {
    this.#seed = seed;
    const port = relay === undefined ? this.#hostile.port : relay(this.#hostile.port);
    this.#rig = openRig(echo, {
      endpoints: () => [{ address: "127.0.0.1", port, uid: "" }],
      limits: PATIENT,
    });
  }

  stop(): void {
    this.#rig.stop();
    this.#hostile.stop();
  }

  /** Runs the cases `[from, from + count)` side by side; resolves with what failed. */
  async epoch(from: number, count: number): Promise<readonly Failure[]> {
    let next = from;
    const lane = async (): Promise<void> => {
      while (next < from + count) await this.#run(responseCase(this.#seed, next++));
    };
    await Promise.all(Array.from({ length: Math.min(LANES, count) }, lane));
    return this.#judge();
  }

  /** Runs one case alone; resolves with what failed. */
  async solo(found: Case): Promise<readonly Failure[]> {
    await this.#run(found);
    return this.#judge();
  }

  async #run(found: Case): Promise<void> {
    const address = addressOf(this.#clients++);
    const asking = askingOf(found.index);
    const attack = attackOf(found, asking.method === "HEAD");
    const unequal = pieces(found, asking.method === "HEAD");
    if (unequal !== "") this.#failures.push({ text: unequal, found });
    this.#hostile.attacks.set(found.index, attack);
    const outcome = await visit(
      { port: this.#rig.port, address, bytes: asking.bytes, ends: asking.ends },
      {
        answers: 0,
        closes: true,
        eager: found.index % EAGER === 0,
        bodiless: (index) => index === 0 && asking.method === "HEAD",
      },
    );
    this.#hostile.attacks.delete(found.index);
    this.cases++;
    const [first] = outcome.answers;
    if (first !== undefined && !OWN.includes(statusOf(first))) this.relayed++;
    const text = judge({ address, asking, attack, outcome });
    if (text !== "") this.#failures.push({ text, found });
  }

  /** Everybody is done: nobody is left, and no idle connection survives what it says unasked. */
  async #judge(): Promise<readonly Failure[]> {
    const clients = await countDown(() => this.#rig.plane.counts().connections);
    if (clients > 0) this.#failures.push({ text: `I7: ${clients} clients left`, found: null });
    this.#hostile.speakUnasked();
    const idle = await countDown(() => this.#hostile.open);
    if (idle > 0) {
      this.#failures.push({ text: `I4: ${idle} connections live that spoke unasked`, found: null });
    }
    const bugs = tallied(BUG) - this.#bugs;
    if (bugs > 0) this.#failures.push({ text: `I7: ${bugs} faults \`bug\``, found: null });
    this.#bugs += bugs;
    const failures = [...this.#failures, ...this.#hostile.take()];
    this.#failures = [];
    return failures;
  }
}

/** Waits until a count is 0, for a few seconds at most; what it is then. */
async function countDown(count: () => number): Promise<number> {
  for (let look = 0; count() > 0 && look < SETTLE_LOOKS; look++) {
    await Bun.sleep(look < SETTLE_LOOKS / 2 ? 0 : 10);
  }
  return count();
}

/** HEAD, HTTP/1.0, handshakes, bodies and clients that take trailers, in turn with plain GETs. */
function askingOf(index: number): Asking {
  const bodied = index % 12 === 9;
  const method = bodied ? "POST" : index % 6 === 1 ? "HEAD" : "GET";
  const minor = index % 6 === 2 ? 0 : 1;
  const switches = index % 12 === 3;
  const requests = minor === 0 || switches ? 1 : 2;
  const length = `Content-Length: ${BODY_PIECES * BODY_PIECE}\r\n`;
  const lines = switches ? HANDSHAKE : bodied ? length : index % 6 === 4 ? "TE: trailers\r\n" : "";
  const head = `${method} /bad/${index} HTTP/1.${minor}\r\nHost: a\r\n${lines}\r\n`;
  const bad = bodied ? head + BODY_BYTE.repeat(BODY_PIECES * BODY_PIECE) : head;
  const good = "GET /good HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
  const bytes = Buffer.from(requests === 2 ? bad + good : bad);
  const cuts = Array.from({ length: BODY_PIECES }, (_, i) => head.length + i * BODY_PIECE);
  const ends = [...(bodied ? cuts : []), bytes.length];
  return { method, minor, switches, requests, bytes, ends };
}

type Trial = Readonly<{ address: string; asking: Asking; attack: Attack; outcome: Outcome }>;

/** I4 from the client's end: the first thing that is wrong, or "". */
function judge(trial: Trial): string {
  const { address, asking, outcome } = trial;
  const { answers, interims, switched, problem } = outcome;
  if (problem !== "") return `I4: ${problem}`;
  if (answers.length > asking.requests) return `I4: ${answers.length} answers`;
  if (asking.minor === 0 && interims > 0) return "I4: an interim answer to HTTP/1.0";
  if (switched) return asking.switches ? "" : "I4: switched without being asked";
  const [first, second] = answers;
  if (first === undefined) return outcome.ending === "open" ? "I4: no answer and no end" : "";
  const wrong = judgeFirst(trial, first);
  if (wrong !== "") return wrong;
  if (second !== undefined) {
    const owner = valuesOf(second.fields, "x-address");
    const own = owner.length === 1 && owner[0] === address;
    if (own && second.body.toString() === `good ${address}`) return "";
    // Nothing of the first request's answer may be here; a fault of rind's may.
    return OWN.includes(statusOf(second)) ? "" : `I4: ${second.first} ${owner} is not its answer`;
  }
  const closes = valuesOf(first.fields, "connection").includes("close");
  if (asking.requests === 1 || closes || outcome.rest.length > 0) return "";
  return `I4: no second answer, and the first did not say so: ${first.first}`;
}

/** A response that looks complete to the client was complete at the backend, and is the same. */
function judgeFirst({ attack, asking, outcome }: Trial, first: Message): string {
  const { reading } = attack;
  if (OWN.includes(statusOf(first)) && reading.kind !== "whole") return "";
  if (valuesOf(first.fields, "content-type").join() === "text/plain; charset=utf-8") return "";
  if (reading.kind !== "whole") {
    if (first.framing === "close" && outcome.ending === "reset") return "";
    return `I4: ${first.first} looks complete, but the backend sent ${reading.kind}`;
  }
  if (statusOf(first) !== reading.status)
    return `I4: ${first.first}, the backend ${reading.status}`;
  if (asking.method === "HEAD" || first.body.toString("latin1") === reading.body) return "";
  return `I4: body ${JSON.stringify(first.body.toString("latin1"))}, not what the backend sent`;
}
