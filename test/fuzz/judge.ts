/** The invariants of one case: what the client saw and what Node saw, against the prediction. */
import { statusOf, valuesOf, type Message } from "../message.ts";
import type { Answer, Accepted, Prediction } from "./predict.ts";
import type { Seen } from "./strict.ts";
import type { Outcome } from "./visit.ts";

/**
 * Fields that are between a client and rind, and names with bytes that some backends take for `-`:
 * neither may get to the origin, whatever the codec predicts.
 */
const HOP = new RegExp(
  "^(?:connection|keep-alive|proxy-connection|te|trailer|upgrade|http2-settings|expect|forwarded|" +
    "proxy-authenticate|[a-z0-9-]*[^a-z0-9:-].*):",
  "i",
);
/** But those that rind writes for a handshake. */
const OWN_HOP = ["Connection: Upgrade", "Upgrade: websocket"];

/** What one side is judged by. `address` is the client's own. */
export type Trial = Readonly<{ address: string; prediction: Prediction; outcome: Outcome }>;

/** I1 and I4 at the client's end: the first thing that is wrong, or "". */
export function judgeClient({ address, prediction, outcome }: Trial): string {
  const { answers, certain, closes, loose } = prediction;
  if (prediction.unequal !== "") return `I5: reads back differently: ${prediction.unequal}`;
  if (outcome.problem !== "") return `I4: ${outcome.problem}`;
  if (outcome.answers.length < certain) {
    return `I1: ${outcome.answers.length} answers, ${certain} expected`;
  }
  if (loose) return judgeOwners(outcome.answers, address);
  for (const [i, answer] of answers.entries()) {
    const wrong = judgeAnswer(answer, outcome.answers[i]!);
    if (wrong !== "") return `I1: answer ${i}: ${wrong}`;
  }
  if (outcome.answers.length > answers.length) {
    return `I4: ${outcome.answers.length} answers, ${answers.length} expected`;
  }
  if (outcome.rest.length > 0) return `I4: bytes behind the answers: ${shown(outcome.rest)}`;
  if (closes && outcome.ending !== "fin") return `I4: ended by ${outcome.ending} behind an answer`;
  return judgeOwners(outcome.answers, address);
}

function judgeAnswer(expected: Answer, got: Message): string {
  const fromOrigin = valuesOf(got.fields, "x-served").length > 0;
  if (fromOrigin !== (expected.accepted !== null)) {
    return `${got.first} ${fromOrigin ? "from the origin" : "from rind"}, not so predicted`;
  }
  const status = statusOf(got);
  return status === expected.status ? "" : `${status}, ${expected.status} expected`;
}

/** Every answer of the origin belongs to a request of this client. */
function judgeOwners(answers: readonly Message[], address: string): string {
  for (const { fields, body } of answers) {
    const [owner] = valuesOf(fields, "x-address");
    if (owner === undefined) continue;
    if (owner !== address) return `I4: an answer for ${owner} went to ${address}`;
    const text = body.toString("latin1");
    if (text !== "" && !text.endsWith(` ${address}`)) return `I4: a foreign body: ${text}`;
  }
  return "";
}

/** I2 and I3 at the origin: the first thing that is wrong, or "". `seen` is of this client. */
export function judgeOrigin(trial: Trial, seen: readonly Seen[], cuts: number): string {
  const { prediction, outcome } = trial;
  const { loose } = prediction;
  const accepted = prediction.answers.flatMap((answer) => answer.accepted ?? []);
  const ids = outcome.answers.flatMap(({ fields }) => valuesOf(fields, "x-served"));
  if (seen.length > accepted.length || (!loose && seen.length < accepted.length)) {
    return `I2: ${seen.length} requests at the origin, ${accepted.length} accepted: ${told(seen)}`;
  }
  for (const [i, request] of seen.entries()) {
    const wrong = judgeRequest(accepted[i]!, request);
    if (wrong !== "") return `I2: request ${i} at the origin: ${wrong}`;
  }
  const owed = seen.map(({ id }) => String(id)).slice(0, loose ? ids.length : seen.length);
  if (ids.join() !== owed.join()) return `I4: the client has answers ${ids}, and is owed ${owed}`;
  if (cuts > prediction.broken && !loose) return `I3: ${cuts} requests broke off at the origin`;
  return "";
}

function judgeRequest(expected: Accepted, got: Seen): string {
  if (got.method !== expected.method) return `method ${got.method}, not ${expected.method}`;
  if (got.url !== expected.target) return `target ${got.url}, not ${expected.target}`;
  if (got.body !== expected.body) {
    return `body ${JSON.stringify(got.body)}, not ${JSON.stringify(expected.body)}`;
  }
  const lines: string[] = [];
  for (let i = 0; i + 1 < got.fields.length; i += 2) {
    lines.push(`${got.fields[i]!}: ${got.fields[i + 1]!}`);
  }
  const stray = lines.find((line) => HOP.test(line) && !OWN_HOP.includes(line));
  if (stray !== undefined) return `a field that must not travel: ${stray}`;
  if (lines.join("\n") === expected.fields.join("\n")) return "";
  return `fields ${JSON.stringify(lines)}, not ${JSON.stringify(expected.fields)}`;
}

function told(seen: readonly Seen[]): string {
  return JSON.stringify(seen.map(({ method, url, body }) => [method, url, body.slice(0, 80)]));
}

/** Bytes as a JavaScript string literal of latin1 characters, cut at 4000. */
export function shown(bytes: Buffer): string {
  const escape = (char: string): string => `\\x${char.charCodeAt(0).toString(16).padStart(2, "0")}`;
  return JSON.stringify(bytes.toString("latin1", 0, 4_000))
    .replace(/\\u00([0-9a-f]{2})/g, "\\x$1")
    .replace(/[\x7f-\xff]/g, escape);
}
