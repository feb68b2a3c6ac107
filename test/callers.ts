/**
 * Clients over TLS that never pause: some keep their connection, some make one a request, and every
 * other one of those comes with the ticket that it was given before.
 */
import { metName, visit, type Visit } from "./handshake.ts";
import { readMessage, statusOf, type Message } from "./message.ts";

const PAUSE_MS = 5;
/** Of failures, the first ones explain enough. */
const FAILURES_MAX = 20;

/** Whom they call, and what each host must answer. `keep`, `fresh`: so many clients of a kind. */
export type Calls = Readonly<{
  port: number;
  authority: string;
  bodies: ReadonlyMap<string, string>;
  keep: number;
  fresh: number;
  /** They ask for the name of the host, and check the certificate (default: true). */
  named?: boolean;
}>;

/** What runs until `stop`. A kept connection that ends is a failure as well. */
export type Callers = Readonly<{
  served: () => number;
  /** How many requests went over a connection that had carried one. */
  kept: () => number;
  /** How many connections went on with a session. */
  resumed: () => number;
  failures: readonly string[];
  /** Waits until so many further requests were answered, well or not. */
  more: (count: number) => Promise<void>;
  stop: () => Promise<void>;
}>;

const NOTHING = { served: 0, asked: 0, kept: 0, resumed: 0 };

type State = {
  readonly calls: Calls;
  readonly hosts: readonly (readonly [string, string])[];
  readonly failures: string[];
  /** The last ticket of each host. */
  readonly tickets: Map<string, Buffer>;
  served: number;
  asked: number;
  kept: number;
  resumed: number;
  running: boolean;
};

/** Asks for `/` of the hosts in turn; a kept client stays with its own. */
export function startCallers(calls: Calls): Callers {
  const hosts = [...calls.bodies];
  const state = { calls, hosts, failures: [], tickets: new Map(), ...NOTHING, running: true };
  const { keep, fresh } = calls;
  const lanes = Array.from({ length: keep + fresh }, (_, index) => lane(state, index));
  return {
    served: () => state.served,
    kept: () => state.kept,
    resumed: () => state.resumed,
    failures: state.failures,
    more: async (more) => {
      const end = state.asked + more;
      while (state.asked < end) await Bun.sleep(PAUSE_MS);
    },
    stop: async () => {
      state.running = false;
      await Promise.all(lanes);
    },
  };
}

async function lane(state: State, index: number): Promise<void> {
  const { calls, hosts } = state;
  const stays = index < calls.keep;
  let visitor: Visit | null = null;
  for (let turn = index; state.running; turn++) {
    const [host, body] = hosts[(stays ? index : turn) % hosts.length]!;
    if (visitor === null) visitor = await begin(state, host, !stays && turn % 2 === 0);
    else state.kept++;
    await call(state, visitor, [host, body]);
    if (stays && visitor.ended) fail(state, `${host}: a kept connection ended`);
    if (stays && !visitor.ended) await Bun.sleep(PAUSE_MS);
    else {
      if (visitor.session !== undefined) state.tickets.set(host, visitor.session);
      await visitor.leave();
      visitor = null;
    }
  }
  await visitor?.leave();
}

async function begin(state: State, host: string, resumes: boolean): Promise<Visit> {
  const { port, authority, named = true } = state.calls;
  const session = resumes ? state.tickets.get(host) : undefined;
  const ticket = session === undefined ? {} : { session };
  const visitor = await visit({ port, authority, name: named ? host : "", ...ticket });
  if (visitor.met?.resumed === true) state.resumed++;
  if (visitor.met === null || (named && !visitor.met.trusted)) {
    fail(state, `${host}: met ${metName(visitor)} ${visitor.refusal}`);
  }
  return visitor;
}

async function call(
  state: State,
  visitor: Visit,
  [host, body]: readonly [string, string],
): Promise<void> {
  const answer = await request(visitor, host);
  const got = answer?.body.toString() ?? visitor.refusal;
  if (answer === null) fail(state, `${host}: no answer ${got}`);
  else if (statusOf(answer) !== 200 || got !== body) {
    fail(state, `${host}: ${answer.first} ${got}`);
  } else state.served++;
  state.asked++;
}

function fail({ failures, asked }: State, what: string): void {
  if (failures.length < FAILURES_MAX) failures.push(`request ${asked}: ${what}`);
}

/** One request for `/`, and its answer; null when the connection ended before it was whole. */
async function request(visitor: Visit, host: string): Promise<Message | null> {
  visitor.socket.write(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
  let message: Message | null = null;
  const read = (): boolean => {
    const bytes = Buffer.from(visitor.heard, "latin1");
    const reading = { response: true, bodiless: false, ended: visitor.ended };
    message = readMessage(bytes, reading);
    return message !== null || visitor.ended || visitor.closed;
  };
  await visitor.until(read, `an answer of ${host}`);
  visitor.take((message as Message | null)?.size ?? 0);
  return message;
}
