/** WebSocket clients: they stay, say a line now and then, and get each back, once and in order. */
import type { Proxy } from "./proxy.ts";
import type { Site } from "./site.ts";
import { Broken, dial, type Wire } from "./wire.ts";

const HEAD =
  "HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
  "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
/** RFC 6455 §1.3: what that key has to be answered with. */
const ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
const LINE_MS_MAX = 200;
/** The proxy's clock and ours do not start at the same moment. */
const EARLY_MS = 250;

let opened = 0;

/** Opens one tunnel after the other; each lives for `livesMs`, or as long as the site runs. */
export async function runTunnels(site: Site, host: string, livesMs: number): Promise<void> {
  while (site.running) {
    const proxy = site.front.pick();
    const from = performance.now();
    const kind = livesMs === Infinity ? "tunnel for good" : "tunnel";
    const id = `tunnel-${++opened}`;
    const wire = await dial(proxy.port);
    const pod = wire instanceof Broken ? wire : await upgrade(site, wire, { host, id });
    if (wire instanceof Broken || pod instanceof Broken) {
      const reason = pod instanceof Broken ? pod.reason : "connect";
      site.score.failed(kind, `not opened: ${reason}`, id);
      await Bun.sleep(LINE_MS_MAX);
      continue;
    }
    const openMs = performance.now() - from;
    const reason = await talk(site, wire, { id, pod, until: from + livesMs });
    if (reason === "") site.score.served(kind, openMs);
    else if (drained(site, proxy, from)) site.score.note("tunnel ended by a drain");
    else site.score.failed(kind, reason, `${id} of ${pod} after ${performance.now() - from} ms`);
  }
}

/** Asks for a tunnel and returns the name of the pod at its other end. */
async function upgrade(
  site: Site,
  wire: Wire,
  to: Readonly<{ host: string; id: string }>,
): Promise<string | Broken> {
  const from = performance.now();
  wire.send(`GET /${to.id} ${HEAD}Host: ${to.host}\r\n\r\n`);
  const answer = await wire.message("response", "GET");
  if (answer === null || answer instanceof Broken) return answer ?? new Broken("closed");
  if (!answer.first.startsWith("HTTP/1.1 101 ")) return new Broken(answer.first);
  if (answer.fields.get("sec-websocket-accept") !== ACCEPT) return new Broken("a wrong accept");
  const pod = answer.fields.get("x-pod") ?? "";
  const verdict = site.cluster.verdict(to.host, pod, { from, to: performance.now() });
  return verdict === "" ? pod : new Broken(verdict);
}

/** Talks until its time is over and then closes; "" when nothing was lost, or what was. */
async function talk(
  site: Site,
  wire: Wire,
  tunnel: Readonly<{ id: string; pod: string; until: number }>,
): Promise<string> {
  for (let line = 1; site.running && performance.now() < tunnel.until; line++) {
    await Bun.sleep(site.random.below(LINE_MS_MAX));
    const text = `${tunnel.id} ${line}`;
    wire.send(`${text}\n`);
    const back = await wire.until("\n");
    if (back === null) return "closed early";
    if (back instanceof Broken) return `cut: ${back.reason}`;
    if (back !== `${tunnel.pod} ${text}`) return `wrong echo ${JSON.stringify(back)}`;
  }
  // A last line and our FIN at once: it must come back before theirs.
  wire.send("farewell\n");
  wire.shut();
  const back = await wire.until("\n");
  if (back !== `${tunnel.pod} farewell`) return "the last line did not come back";
  const rest = await wire.until("\n");
  return rest === null ? "" : "no clean end";
}

/** Whether a drain may have ended a tunnel that was open since `from`: it had all of its time. */
function drained(site: Site, proxy: Proxy, from: number): boolean {
  const now = performance.now();
  return proxy.drains.some((drain) => {
    return from <= drain.to && now - Math.max(from, drain.from) >= site.drainMs - EARLY_MS;
  });
}
