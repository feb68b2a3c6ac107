/** One round: a paced client alone, and again while others shake hands. */
import { join } from "node:path";
import { type Contestant, runLoad } from "../load/arena.ts";
import { cpuOf } from "../load/cpu.ts";
import { OUT } from "../load/products.ts";
import { HOSTS, type ProductName } from "../load/rows.ts";
import { parseCounts } from "../load/wrk.ts";

/**
 * `full`: clients that shake hands as they should, each of which works more than the server does.
 * `hello`: an attack that costs the client nothing, so that the server's CPU is all in use.
 */
export const FLOODS = ["full", "hello"] as const;
export type Flood = (typeof FLOODS)[number];

const CLIENT = { connections: 16, perSecond: 400 };
const AT_ONCE = 16;
/** The flood runs before and after what is measured. */
const HEAD_START_MS = 500;
const GRACE_SECONDS = 20;
/**
 * The origin and the paced client share its CPU, and must not wait for it: a nice process keeps its
 * slice of some milliseconds, an idle one (SCHED_IDLE) makes room at once.
 */
const POLITELY = ["chrt", "--idle", "0"];

/** Microseconds of each answer, and how many were wrong or never came. */
export type Answers = Readonly<{ failed: number; us: readonly number[] }>;

export type Round = Readonly<{
  product: ProductName;
  flood: Flood;
  quiet: Answers;
  flooded: Answers;
  handshakes: number;
  broken: number;
  /** Part of a CPU that the product used in the flood. */
  busy: number;
}>;

/** Measures one product; the flood has ended when this resolves. */
export async function measure(
  contestant: Contestant,
  flood: Flood,
  seconds: number,
): Promise<Round> {
  const quiet = await pace(contestant, seconds);
  const before = cpuOf(contestant.pid).ns;
  const began = performance.now();
  const flooding = attack(contestant, flood, seconds);
  await Bun.sleep(HEAD_START_MS);
  const flooded = await pace(contestant, seconds);
  const { handshakes, broken } = await flooding;
  const busy = (cpuOf(contestant.pid).ns - before) / 1e6 / (performance.now() - began);
  return { product: contestant.product.name, flood, quiet, flooded, handshakes, broken, busy };
}

async function pace({ securePort }: Contestant, seconds: number): Promise<Answers> {
  const { connections, perSecond } = CLIENT;
  const numbers = [seconds, connections, perSecond].map(String);
  const command = [join(OUT, "paced"), `${securePort}`, HOSTS.secure, ...numbers];
  return parseAnswers(await runLoad(command, seconds + GRACE_SECONDS));
}

async function attack({ securePort }: Contestant, flood: Flood, seconds: number) {
  const longer = seconds + Math.ceil((2 * HEAD_START_MS) / 1_000);
  const how = [`${longer}`, `${AT_ONCE}`, "1.3", flood];
  const command = [...POLITELY, join(OUT, "handshakes"), `${securePort}`, HOSTS.secure, ...how];
  const counts = parseCounts(await runLoad(command, longer + GRACE_SECONDS));
  if (counts === null) return { handshakes: 0, broken: 0 };
  const { requests, refused, broken, late, bad } = counts;
  return { handshakes: requests / longer, broken: refused + broken + late + bad };
}

/** Reads what `paced` printed; what is not all there is one failure. */
export function parseAnswers(output: string): Answers {
  const [first, ...rest] = output.trim().split("\n");
  const failed = /^failed (\d+)$/.exec(first ?? "");
  if (failed === null) return { failed: 1, us: [] };
  return { failed: Number(failed[1]), us: rest.map(Number) };
}
