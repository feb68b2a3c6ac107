/** Clients that behave: they keep connections or do not, they GET and POST, and check it all. */
import { sendChunks, tagged } from "./pod.ts";
import type { Proxy } from "./proxy.ts";
import type { Site } from "./site.ts";
import { Broken, dial, type Message, type Wire } from "./wire.ts";

/** What a client asks for. `query` tells the pod how to answer. */
export type Ask = Readonly<{
  kind: string;
  method: "GET" | "POST";
  host: string;
  id: string;
  query: string;
  size: number;
  /** What is sent, and whether in chunks. */
  body: Buffer;
  chunked: boolean;
}>;

/**
 * One kind of client. `fresh`: a connection for each request. `burst`: so many requests at a turn,
 * each as soon as the one before is answered. `up` and `down`: bytes at most each way.
 */
export type Kind = Readonly<{
  name: string;
  hosts: readonly string[];
  fresh: boolean;
  method: "GET" | "POST";
  up: number;
  down: number;
  chunked: boolean;
  burst?: number;
}>;

/** A worker that drains learns of a change too, but nobody can ask it whether it has. */
const UNTOLD_MS = 1_000;

let asked = 0;

/** Makes requests of a kind until the site stops. */
export async function runClient(site: Site, kind: Kind): Promise<void> {
  let wire: Wire | null = null;
  let proxy = site.front.pick();
  for (let request = 0; site.running; request++) {
    if (request % (kind.burst ?? 1) === 0) await site.pace.turn();
    if (wire !== null && wire.ending !== "open") wire = leave(wire);
    const host = kind.hosts[site.random.below(kind.hosts.length)]!;
    const ask = newAsk(site, kind, host);
    const from = performance.now();
    if (wire === null) proxy = site.front.pick();
    const dialled: Wire | Broken = wire ?? (await dial(proxy.port));
    if (dialled instanceof Broken) {
      judge(site, ask, { from, answer: dialled, proxy });
      continue;
    }
    send(dialled, ask, kind.fresh);
    const answer = await dialled.message("response", ask.method);
    const keeps = judge(site, ask, { from, answer, proxy });
    wire = keeps && !kind.fresh ? dialled : leave(dialled);
  }
  if (wire !== null) leave(wire);
}

export function newAsk(site: Site, kind: Kind, host: string): Ask {
  const { name, method, up, down, chunked } = kind;
  const id = `${name.replaceAll(/\W+/g, "-")}-${++asked}`;
  // Some answers take a while, so that whatever changes, changes in the middle of something.
  const waitMs = site.random.below(4) === 0 ? site.random.below(40) : 0;
  const size = site.random.below(down + 1);
  const query = `?size=${size}&wait=${waitMs}${chunked ? "&chunked" : ""}`;
  const body = tagged("client", id, site.random.below(up + 1));
  return { kind: name, method, host, id, query, size, body, chunked };
}

/** Sends a request, as a whole or in chunks. */
export function send(wire: Wire, ask: Ask, last: boolean): void {
  const { method, host, id, query, body, chunked } = ask;
  const close = last ? "Connection: close\r\n" : "";
  const head = `${method} /${id}${query} HTTP/1.1\r\nHost: ${host}\r\n${close}`;
  if (method === "GET") return wire.send(`${head}\r\n`);
  wire.send(chunked ? head : `${head}Content-Length: ${body.length}\r\n\r\n`);
  if (chunked) sendChunks(wire, body);
  else wire.send(body);
}

/** Checks an answer and scores it; returns whether the connection may be used again. */
export function judge(
  site: Site,
  ask: Ask,
  got: Readonly<{ from: number; answer: Message | null | Broken; proxy?: Proxy }>,
): boolean {
  const { from, answer, proxy } = got;
  const to = performance.now();
  const times = site.executions.settle(ask.id);
  const draining = proxy?.drained({ from, to }, site.drainMs) === true;
  // As if it had been asked a little earlier: what was valid then may be what its worker knows.
  const reason = reasonOf(site, ask, answer, { from: draining ? from - UNTOLD_MS : from, to });
  if (times > 1) site.score.failed(ask.kind, "a POST was run twice", ask.id);
  if (reason === "") site.score.served(ask.kind, to - from);
  else if (lostWithPod(site, ask, answer, { from, to })) site.score.note("lost with a killed pod");
  else site.score.failed(ask.kind, reason, exampleOf(ask, { from, to }, answer));
  return answer !== null && !(answer instanceof Broken) && answer.keeps;
}

type Span = Readonly<{ from: number; to: number }>;

function reasonOf(site: Site, ask: Ask, answer: Message | null | Broken, span: Span): string {
  if (answer === null) return "closed without an answer";
  if (answer instanceof Broken) return answer.reason.replace(/\d+ bytes/, "some bytes");
  const status = answer.first.split(" ")[1];
  if (status !== "200") return `status ${status}`;
  const pod = answer.fields.get("x-pod") ?? "";
  if (answer.fields.get("x-id") !== ask.id) return "the head of another answer";
  if (!answer.body.equals(tagged(pod, ask.id, ask.size))) return "the body of another answer";
  const crc = ask.method === "GET" ? Bun.hash.crc32("") : Bun.hash.crc32(ask.body);
  if (answer.fields.get("x-crc") !== String(crc)) return "the pod got another body";
  return site.cluster.verdict(ask.host, pod, span);
}

/** A request in flight when its pod was killed may be lost; one that began later may not. */
function lostWithPod(site: Site, ask: Ask, answer: Message | null | Broken, span: Span): boolean {
  const lost = answer === null || answer instanceof Broken || / 502( |$)/.test(answer.first);
  return lost && site.cluster.killedIn(ask.host, span);
}

function exampleOf(ask: Ask, span: Span, answer: Message | null | Broken): string {
  const got =
    answer === null || answer instanceof Broken
      ? (answer?.reason ?? "fin")
      : `${answer.first} ${answer.body.toString("latin1", 0, 60)}`;
  const ms = (span.to - span.from).toFixed(1);
  const at = new Date(performance.timeOrigin + span.from).toISOString();
  return `${at} ${ask.method} ${ask.host} ${ask.id} ${ms} ms: ${JSON.stringify(got)}`;
}

function leave(wire: Wire): null {
  wire.shut();
  return null;
}
