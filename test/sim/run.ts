/** One run of a script: with or without faults, and with reads cut where the test wants. */
import { BUG } from "../../core/fault.ts";
import { tallied } from "../../core/tally.ts";
import type { Cut, Remote } from "./network.ts";
import { Plan, type Choice } from "./plan.ts";
import { acting, ask, probing, type Ask, type Script } from "./steps.ts";
import { readRequests, readResponses, type Transcript } from "./transcript.ts";
import { World } from "./world.ts";

/** What one client saw; it asked for `asks`. */
export type Client = Readonly<{ asks: readonly Ask[]; remote: Remote; seen: Transcript }>;

export type Run = Readonly<{
  script: Script;
  plan: Plan;
  /** In the order of the script, then the one that probed. */
  clients: readonly Client[];
  /** What the kernel took for each connection to a backend, whether or not it arrived. */
  requests: readonly Transcript[];
  /** What rind threw, reported as a bug, or did though nobody was there for it. */
  bugs: readonly string[];
  /** What it had not let go of when all deadlines were over. */
  leaks: readonly string[];
}>;

export type RunOptions = Readonly<{
  choose?: Choice;
  /** Something happens to the worker in the turn of the `at`-th operation. */
  event?: Readonly<{ at: number; happen: (world: World) => void }> | null;
  cut?: Cut | null;
  /** What fails may fail after the script as well. */
  throughout?: boolean;
  /** Ends with the script: nobody asks once more, and no time passes. */
  brief?: true;
  seed?: number;
}>;

/** Runs a script to its end, asks once more, and lets time pass until rind has let go of all. */
export function run(script: Script, options: RunOptions = {}): Run {
  const plan = new Plan(options.choose ?? (() => null));
  const bugsBefore = tallied(BUG);
  const world = new World({
    serve: script.serve,
    endpoints: script.endpoints ?? 1,
    refusing: script.refusing ?? 0,
    limits: script.limits ?? {},
    policy: script.policy ?? {},
    rooms: script.rooms ?? { client: 65_536, backend: 65_536 },
    seed: options.seed ?? 1,
  });
  const { network } = world;
  const event = options.event ?? null;
  network.fault = (operation) => {
    if (event !== null && plan.operations.length === event.at) {
      network.later(() => event.happen(world));
    }
    return plan.fault(operation);
  };
  network.cut = options.cut ?? network.cut;
  const asks = script.clients.map((client) => client.asks);
  try {
    for (const { steps } of script.clients) world.client((remote) => acting(remote, steps));
    network.settle();
    if (options.throughout !== true) network.fault = () => null;
    // A reset must be heard at once, not when some deadline comes.
    for (const { side, closed, inboundEnd } of network.sockets) {
      if (inboundEnd === "reset" && !closed) network.bugs.push(`deaf to the reset of a ${side}`);
    }
    const nobody = world.clients.every(({ socket }) => socket.closed);
    if (nobody && world.inFlight > 0) network.bugs.push("an exchange goes on for nobody");
    const probe = script.probe === undefined ? PROBE : script.probe;
    if (options.brief === true) asks.length = world.clients.length;
    else if (probe !== null) {
      asks.push([probe]);
      world.client((remote) => probing(remote, probe));
      network.settle();
    }
    if (options.brief !== true) world.pass();
  } finally {
    network.close();
  }
  const caught = tallied(BUG) - bugsBefore;
  const bugs = caught === 0 ? network.bugs : [...network.bugs, `${caught} bugs reported`];
  const clients = world.clients.map((remote, i) => clientOf(remote, asks[i]!));
  const taken = world.backends.map(({ socket }) => Buffer.concat(socket.taken));
  return { script, plan, clients, requests: taken.map(readRequests), bugs, leaks: world.leaks() };
}

const PROBE = ask("GET", "probe");

function clientOf(remote: Remote, asks: readonly Ask[]): Client {
  const methods = asks.map(({ method }) => method);
  return { asks, remote, seen: readResponses(remote.received, methods, remote.ending === "fin") };
}
