/**
 * Clients that misbehave, and backends that are asked to. What they break on purpose is counted
 * apart; whatever a patient proxy must still serve is judged like any other request.
 */
import { judge, newAsk, send, type Ask, type Kind } from "../churn/clients.ts";
import { FRAGILE } from "../churn/scenario.ts";
import type { Site } from "../churn/site.ts";
import { Broken, dial, type Wire } from "../churn/wire.ts";

const PLAIN: Kind = {
  name: "",
  hosts: ["web.test"],
  fresh: true,
  method: "GET",
  up: 0,
  down: 2_000,
  chunked: false,
};
const LARGE_BYTES = 1_000_000;
/** Slow, but far from every deadline: a head has 10 s, and an answer 30 s without progress. */
const DRIP_MS_MAX = 100;
const DRIP_BYTES = 8;
const READS = 20;
const PIPELINED = 5;
const GARBAGE_BYTES_MAX = 4_000;

type Attack = (site: Site, wire: Wire) => Promise<void>;

/** By name; chosen with equal chances. */
const ATTACKS: Readonly<Record<string, Attack>> = {
  "reset in the head": async (site, wire) => {
    const head = `GET /${"x".repeat(500)} HTTP/1.1\r\nHost: web.test\r\n\r\n`;
    wire.send(head.slice(0, site.random.below(head.length)));
    await hesitate(site);
    leave(site, wire, "reset in the head");
  },
  "reset in the body": async (site, wire) => {
    const length = 1 + site.random.below(100_000);
    wire.send(`POST /abandoned HTTP/1.1\r\nHost: web.test\r\nContent-Length: ${length}\r\n\r\n`);
    wire.send(Buffer.alloc(site.random.below(length)));
    await hesitate(site);
    leave(site, wire, "reset in the body");
    site.executions.settle("abandoned");
  },
  "reset before the answer": async (site, wire) => {
    wire.send(`GET /gone?wait=30 HTTP/1.1\r\nHost: web.test\r\n\r\n`);
    await hesitate(site);
    leave(site, wire, "reset before the answer");
  },
  "reset in the answer": async (site, wire) => {
    wire.send(`GET /large?size=${LARGE_BYTES} HTTP/1.1\r\nHost: web.test\r\n\r\n`);
    await wire.until("\r\n\r\n");
    await hesitate(site);
    leave(site, wire, "reset in the answer");
  },
  "nothing said": async (site, wire) => {
    await Bun.sleep(site.random.below(1_000));
    leave(site, wire, "nothing said");
  },
  garbage,
  "half-close": (site, wire) =>
    honest(site, wire, { ...PLAIN, name: "GET, half-closed" }, async (ask) => {
      send(wire, ask, false);
      wire.shut();
    }),
  "slow head": (site, wire) =>
    honest(site, wire, { ...PLAIN, name: "GET, dripped" }, async (ask) => {
      const head = `GET /${ask.id}${ask.query} HTTP/1.1\r\nHost: ${ask.host}\r\n\r\n`;
      for (let i = 0; i < head.length; i += DRIP_BYTES) {
        wire.send(head.slice(i, i + DRIP_BYTES));
        await Bun.sleep(site.random.below(DRIP_MS_MAX));
      }
    }),
  "slow reader": (site, wire) =>
    honest(site, wire, { ...PLAIN, name: "GET, read slowly", down: LARGE_BYTES }, async (ask) => {
      send(wire, ask, true);
      for (let i = 0; i < READS; i++) {
        wire.pause(true);
        await Bun.sleep(DRIP_MS_MAX);
        wire.pause(false);
        await Bun.sleep(1);
      }
    }),
  pipelined,
  "backend resets": (site, wire) => failing(site, wire, "reset"),
  "backend cuts": (site, wire) => failing(site, wire, "cut"),
  "backend talks junk": (site, wire) => failing(site, wire, "junk"),
};

/** One attack after the other, until the site stops. */
export async function runHostile(site: Site): Promise<void> {
  const attacks = Object.values(ATTACKS);
  while (site.running) {
    await site.pace.turn();
    const wire = await dial(site.front.pick().port);
    if (wire instanceof Broken) site.score.failed("hostile", wire.reason, "");
    else await attacks[site.random.below(attacks.length)]!(site, wire);
  }
}

/** Asks oddly, and expects a good answer all the same. */
async function honest(
  site: Site,
  wire: Wire,
  kind: Kind,
  asking: (ask: Ask) => Promise<void>,
): Promise<void> {
  const ask = newAsk(site, kind, kind.hosts[0]!);
  const from = performance.now();
  const answer = wire.message("response", ask.method);
  await asking(ask);
  judge(site, ask, { from, answer: await answer });
  wire.shut();
}

/** Several requests at once on one connection; the answers come in order. */
async function pipelined(site: Site, wire: Wire): Promise<void> {
  const kind = { ...PLAIN, name: "GET, pipelined" };
  const asks = Array.from({ length: PIPELINED }, () => newAsk(site, kind, "api.test"));
  const from = performance.now();
  for (const ask of asks) send(wire, ask, ask === asks.at(-1));
  for (const ask of asks) judge(site, ask, { from, answer: await wire.message("response") });
  wire.shut();
}

/** Bytes that are no request: refused or closed, and never answered as if they were one. */
async function garbage(site: Site, wire: Wire): Promise<void> {
  const bytes = Buffer.alloc(1 + site.random.below(GARBAGE_BYTES_MAX));
  for (let i = 0; i < bytes.length; i++) bytes[i] = site.random.below(256);
  wire.send(bytes);
  wire.shut();
  const answer = await wire.message("response");
  const status = answer === null || answer instanceof Broken ? "" : answer.first.split(" ")[1]!;
  if (status === "" || status.startsWith("4")) site.score.note("on purpose: garbage");
  else site.score.failed("hostile", `garbage is answered ${status}`, bytes.toString("hex", 0, 200));
  leave(site, wire, "");
}

/** A request whose backend fails: that must be visible, as a 502 or as a cut answer. */
async function failing(site: Site, wire: Wire, abort: "reset" | "cut" | "junk"): Promise<void> {
  wire.send(`GET /doomed?size=900&abort=${abort} HTTP/1.1\r\nHost: ${FRAGILE}.test\r\n\r\n`);
  const answer = await wire.message("response");
  const cut = answer === null || answer instanceof Broken;
  const got = cut ? "cut" : answer.first.split(" ")[1]!;
  const expected = abort === "cut" ? "cut" : "502";
  // What is a reset for us may reach the proxy as part of a killed pod: then both are right.
  if (got === expected || got === "502") site.score.note(`on purpose: backend ${abort}`);
  else site.score.failed("hostile", `backend ${abort} is answered ${got}`, "");
  leave(site, wire, "");
}

async function hesitate(site: Site): Promise<void> {
  await Bun.sleep(site.random.below(20));
}

function leave(site: Site, wire: Wire, what: string): void {
  if (what !== "") site.score.note(`on purpose: ${what}`);
  wire.reset();
}
