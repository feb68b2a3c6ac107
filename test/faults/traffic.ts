/** A steady client: kept connections, a request each few milliseconds, and every failure noted. */
import { statusOf } from "../message.ts";
import { dial, type Peer } from "../peer.ts";

/** Connections, and the pause of each between two requests: some 200 requests a second. */
const LANES = 4;
const PAUSE_MS = 18;
/** Of failures, the first ones explain enough. */
const FAILURES_MAX = 20;

/** What runs until `stop`. `served` counts good answers; `failures` says what was wrong. */
export type Traffic = Readonly<{
  served: () => number;
  failures: readonly string[];
  /** Waits until so many further requests were answered, well or not. */
  more: (count: number) => Promise<void>;
  stop: () => Promise<void>;
}>;

/** Asks for `/` of each host in turn; an answer must be 200, and its body the host's. */
export function startTraffic(port: number, bodies: ReadonlyMap<string, string>): Traffic {
  const hosts = [...bodies];
  const failures: string[] = [];
  let served = 0;
  let asked = 0;
  let running = true;
  const fail = (what: string): void => {
    if (failures.length < FAILURES_MAX) failures.push(`request ${asked}: ${what}`);
  };
  const lane = async (): Promise<void> => {
    let peer: Peer | null = null;
    while (running) {
      const [host, body] = hosts[asked % hosts.length]!;
      try {
        // A kept connection that ended between two requests was a polite end.
        if (peer === null || peer.ending !== "open") peer = await dial(port);
        peer.send(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
        const answer = await peer.response();
        if (statusOf(answer) !== 200) fail(`${host}: ${answer.first} ${answer.body.toString()}`);
        else if (answer.body.toString() !== body) fail(`${host}: body ${answer.body.toString()}`);
        else served++;
      } catch (error) {
        fail(`${host}: ${String(error)}`);
        peer?.reset();
        peer = null;
      }
      asked++;
      await Bun.sleep(PAUSE_MS);
    }
    peer?.reset();
  };
  const lanes = Array.from({ length: LANES }, lane);
  return {
    served: () => served,
    failures,
    more: async (count) => {
      const end = asked + count;
      while (asked < end) await Bun.sleep(PAUSE_MS);
    },
    stop: async () => {
      running = false;
      await Promise.all(lanes);
    },
  };
}
