/** What must be true of every run, whatever failed in it. */
import { statusOf, valuesOf, type Message } from "../message.ts";
import { harmless } from "./plan.ts";
import type { Client, Run } from "./run.ts";
import { tagOf, type Ask } from "./steps.ts";
import { bodySoFar, type Transcript } from "./transcript.ts";

/** On how many connections a request may have left, at least in part. */
const SENT_ONCE = 1;
const SENT_AGAIN = 2;
const IDEMPOTENT = ["GET", "HEAD", "PUT"];

/** Everything that is wrong with a run; `normal` is the one in which nothing happened.
 * `noticed`: something happened that clients may notice, besides the faults. */
export function judge(run: Run, normal: Run, noticed = false): string[] {
  const findings = [...run.bugs, ...run.leaks.map((leak) => `left open: ${leak}`)];
  const { failed, faults } = run.plan;
  const victims = failed.filter(({ side }) => side === "client").map(({ index }) => index);
  const same = !noticed && faults.every(harmless);
  const crowded = run.script.crowded === true;
  const sameForOthers = !crowded && !noticed && (same || failed.length === victims.length);
  run.clients.forEach((client, i) => {
    const victim = victims.includes(i) && !same;
    const told = victim ? judgeVictim(run, client) : judgeServed(run, client);
    const before = summary(normal.clients[i]!.seen);
    const after = summary(client.seen);
    if (sameForOthers && !victim && after !== before) told.push(`saw ${after}, not ${before}`);
    findings.push(...told.map((what) => `client ${i}: ${what}`));
  });
  findings.push(...judgeRequests(run, normal));
  const before = allRequests(normal);
  const after = allRequests(run);
  if (same && !crowded && after !== before)
    findings.push(`backends were sent ${after}, not ${before}`);
  return findings;
}

/** What all backends were sent, on whatever connection. */
export function allRequests({ requests }: Run): string {
  const whole = requests.flatMap(({ messages }) => messages.map(show)).sort();
  const tunnelled = requests.flatMap(({ tunnel, rest }) => (tunnel ? [rest.toString()] : []));
  return [...whole, ...tunnelled].join();
}

/** What one end saw, in one line; the same for the same exchanges. */
export function summary({ messages, interims, rest, tunnel }: Transcript): string {
  const each = messages.map(
    ({ first, body, trailers }) => `${first} ${Bun.hash(body)} ${body.length} ${trailers.length}`,
  );
  return [...each, ...interims, tunnel ? rest.toString("latin1") : `${rest.length} more`].join(
    "; ",
  );
}

/** A client whose own connection failed: what it got is right as far as it goes. */
function judgeVictim(run: Run, { asks, seen }: Client): string[] {
  const findings = seen.malformed === "" ? [] : [seen.malformed];
  seen.messages.forEach((message, i) => {
    const asked = asks[i];
    if (asked === undefined || isRight(run, message, asked) || isFault(message, 400)) return;
    findings.push(`answer ${i} is ${show(message)}`);
  });
  return [...findings, ...judgeRest(run, asks[seen.messages.length], seen)];
}

/** A client that did nothing wrong: for every request the answer, or a 5xx, or a visible cut. */
function judgeServed(run: Run, client: Client): string[] {
  const { asks, seen, remote } = client;
  const findings = judgeVictim(run, client);
  const least = run.script.stops === true ? 408 : 502;
  seen.messages.forEach((message, i) => {
    const asked = asks[i];
    if (asked === undefined || isRight(run, message, asked) || isFault(message, least)) return;
    findings.push(`answer ${i} is ${show(message)}, and it is not the client's fault`);
  });
  const cut = !seen.tunnel && seen.rest.length > 0;
  if (cut && remote.ending === "open") findings.push("an answer stopped, and nobody says so");
  const count = seen.messages.length + (cut ? 1 : 0);
  const last = seen.messages.at(-1);
  if (count >= asks.length || cut || (last !== undefined && saysClose(last))) return findings;
  return [...findings, `${count} answers to ${asks.length} requests, then ${remote.ending}`];
}

/** What follows the last whole message is the beginning of what should follow. */
function judgeRest({ script }: Run, asked: Ask | undefined, seen: Transcript): string[] {
  const { rest, tunnel } = seen;
  if (tunnel) {
    const whole = script.tunnel?.toClient ?? "";
    return whole.startsWith(rest.toString("latin1")) ? [] : [`tunnelled ${rest.toString()}`];
  }
  if (rest.length === 0) return [];
  const body = bodySoFar(rest).toString("latin1");
  if (asked !== undefined && asked.body.startsWith(body)) return [];
  // An answer of rind's own, for a client that did not take all of it.
  if (/^HTTP\/1\.1 [45]/.test(rest.toString("latin1", 0, 10)) && !doubled(body)) return [];
  return [`the beginning of a wrong answer: ${JSON.stringify(rest.toString("latin1", 0, 300))}`];
}

/** Backends get whole requests or visibly cut ones, and none twice that must not be. */
function judgeRequests(run: Run, normal: Run): string[] {
  const findings: string[] = [];
  const asks = run.clients.flatMap((client) => client.asks);
  const known = new Set(normal.requests.flatMap(({ messages }) => messages.map(show)));
  for (const { tag, up } of asks) if (up === 0) known.add(`${tag} 0 ""`);
  for (const { messages, malformed, tunnel, rest } of run.requests) {
    const sent = tunnel ? rest.toString("latin1") : "";
    if (!(run.script.tunnel?.toBackend ?? "").startsWith(sent)) findings.push(`tunnelled ${sent}`);
    if (malformed !== "") findings.push(`a backend was sent something malformed: ${malformed}`);
    for (const message of messages) {
      if (known.has(show(message))) continue;
      findings.push(`a backend was sent ${show(message)}`);
    }
  }
  for (const { method, tag } of asks) {
    const again = IDEMPOTENT.includes(method) || run.script.policy?.retry?.nonIdempotent === true;
    const max = again ? SENT_AGAIN : SENT_ONCE;
    const times = run.requests.filter((seen) => isSent(seen, `${method} /${tag} `)).length;
    if (times > max) findings.push(`${method} /${tag} was sent on ${times} connections`);
  }
  return findings;
}

/** Whether a request, or as much as a byte of it, left on a connection. */
function isSent({ messages, rest, tunnel }: Transcript, line: string): boolean {
  if (messages.some(({ first }) => first.startsWith(line))) return true;
  if (tunnel || rest.length === 0) return false;
  const begun = rest.toString("latin1", 0, line.length);
  return line.startsWith(begun);
}

function isRight({ script, plan }: Run, message: Message, { status, body }: Ask): boolean {
  if (statusOf(message) !== status) return false;
  const got = message.body.toString("latin1");
  if (got === body) return true;
  // Only the backend's FIN tells the end; when it came too early, nobody can know.
  const early = plan.faults.some((fault) => fault === "eof" || fault === "fin" || fault === "cut");
  return script.untilClose === true && early && body.startsWith(got);
}

/** A whole answer of rind's own about a failure. */
function isFault(message: Message, from: number): boolean {
  const text = message.body.toString("latin1");
  return statusOf(message) >= from && message.framing !== "close" && !doubled(text);
}

/** Whether a text has a tag in it, which is there more than once. */
function doubled(text: string): boolean {
  return /\b(\w+) \1\b/.test(text);
}

function saysClose({ fields, framing }: Message): boolean {
  return framing === "close" || valuesOf(fields, "connection").includes("close");
}

/** A message in one line. */
function show(message: Message): string {
  const body = message.body.toString("latin1", 0, 40);
  const about = message.first.startsWith("HTTP/") ? message.first : tagOf(message);
  return `${about} ${message.body.length} ${JSON.stringify(body)}`;
}
