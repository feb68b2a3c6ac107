/** A steady client over many hosts, which counts what is not answered as it should be. */
import { Lane } from "./lane.ts";
import { hostOf } from "./objects.ts";

const LANES = 4;
const MS_A_SECOND = 1_000;
const FAILURES_SHOWN = 5;

/** What it saw, until it was stopped. */
export type Seen = Readonly<{ requests: number; failed: number; examples: readonly string[] }>;

/** Asks `perSecond` times a second for one of `hosts` hosts, until `stop`. */
export function startClient(port: number, hosts: number, perSecond: number) {
  let running = true;
  let requests = 0;
  let failed = 0;
  const examples: string[] = [];
  const lane = async (index: number): Promise<void> => {
    const lane = new Lane(port);
    for (let n = index; running; n += LANES) {
      const host = hostOf((n * 7_919) % hosts);
      const { status, body } = await lane.ask(host, "/");
      requests++;
      if (status !== 200) {
        failed++;
        if (examples.length < FAILURES_SHOWN) examples.push(`${host}: ${status} ${body}`);
      }
      await Bun.sleep((MS_A_SECOND / perSecond) * LANES);
    }
    lane.close();
  };
  const lanes = Array.from({ length: LANES }, (_, i) => lane(i));
  return {
    stop: async (): Promise<Seen> => {
      running = false;
      await Promise.all(lanes);
      return { requests, failed, examples };
    },
  };
}
