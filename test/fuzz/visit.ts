/** One client connection of a run: sends a case in its pieces and reads every answer strictly. */
import { readMessage, statusOf, type Message } from "../message.ts";

/** A case that is not over by then hangs, on however busy a machine. */
const HANG_MS = 60_000;
/**
 * Limits of the plane of a run. Deadlines are not what is tried here, and must not end a case that
 * comes byte by byte on a busy machine; and cases make their backend fail on purpose.
 */
export const PATIENT = {
  firstByteMs: 10 * HANG_MS,
  headMs: 10 * HANG_MS,
  bodyIdleMs: 10 * HANG_MS,
  bodyRateMin: 0,
  clientStallMs: 10 * HANG_MS,
  // Who was refused with much behind it is kept this long, whatever it does.
  lingerMs: 2_000,
  pendingMs: 10 * HANG_MS,
  ejectAfter: 0,
};
/** `drain` of this side is not waited for: a case fits any send buffer, but for a moment. */
const WRITE_TURNS_MAX = 10_000;

export type Sending = Readonly<{
  port: number;
  /** The loopback address to come from: no byte of a case can forge it. */
  address: string;
  bytes: Buffer;
  ends: readonly number[];
}>;

/**
 * What is expected. Behind `answers` we end our side, unless it `closes`: then the plane ends its.
 * `eager`: we end our side behind the last byte of the case, as some clients do.
 */
export type Expected = Readonly<{
  answers: number;
  closes: boolean;
  eager: boolean;
  bodiless: (index: number) => boolean;
}>;

/**
 * `rest` is what was left when the connection ended, or what came behind a 101 when it `switched`;
 * `problem` says what no client could read.
 */
export type Outcome = Readonly<{
  answers: readonly Message[];
  interims: number;
  switched: boolean;
  rest: Buffer;
  ending: "open" | "fin" | "reset";
  problem: string;
}>;

/** Sends and reads until the connection is over. Never rejects; what fails is the `problem`. */
export async function visit(sending: Sending, expected: Expected): Promise<Outcome> {
  const visitor = new Visitor(expected.bodiless);
  try {
    await Bun.connect<Visitor>({
      hostname: "127.0.0.1",
      port: sending.port,
      // Missing from the types of 1.4.5, but honoured.
      ...{ localAddress: sending.address },
      allowHalfOpen: true,
      socket: EVENTS,
      data: visitor,
    });
  } catch (error) {
    visitor.problem = `cannot connect: ${(error as Error).message}`;
    return visitor.outcome();
  }
  await visitor.send(sending.bytes, sending.ends);
  if (expected.eager) visitor.shut();
  await visitor.until(expected.answers);
  if (!expected.closes && !expected.eager) visitor.shut();
  await visitor.until(Infinity);
  visitor.end();
  return visitor.outcome();
}

class Visitor {
  socket: Bun.Socket<Visitor> | null = null;
  problem = "";
  readonly #bodiless: (index: number) => boolean;
  readonly #answers: Message[] = [];
  #interims = 0;
  #switched = false;
  #unread: Buffer = Buffer.alloc(0);
  #ending: Outcome["ending"] = "open";
  #wanted = 0;
  #wake: () => void = () => {};

  constructor(bodiless: (index: number) => boolean) {
    this.#bodiless = bodiless;
  }

  /** Writes the pieces, each in a turn of the loop of its own. */
  async send(bytes: Buffer, ends: readonly number[]): Promise<void> {
    let from = 0;
    let turns = 0;
    for (const end of ends) {
      while (from < end && this.socket !== null && turns++ < WRITE_TURNS_MAX) {
        from += Math.max(0, this.socket.write(bytes, from, end - from));
        if (from < bytes.length) await new Promise((resolve) => setImmediate(resolve));
      }
    }
  }

  /** Waits for so many answers, or the end of the connection. */
  until(answers: number): Promise<void> {
    if (this.#answers.length >= answers || this.#ending !== "open") return Promise.resolve();
    this.#wanted = answers;
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        const what = answers === Infinity ? "end of the connection" : `${answers} answers`;
        this.problem ||= `hangs: ${this.#answers.length} answers, waited for the ${what}`;
        this.#ending = "reset";
        resolve();
      }, HANG_MS);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  shut(): void {
    this.socket?.shutdown();
  }

  end(): void {
    this.socket?.terminate();
    this.socket = null;
  }

  outcome(): Outcome {
    const { problem } = this;
    const [interims, switched, ending] = [this.#interims, this.#switched, this.#ending];
    return { answers: this.#answers, interims, switched, rest: this.#unread, ending, problem };
  }

  // --- called by the socket's events ---

  arrived(bytes: Buffer): void {
    this.#unread = this.#unread.length === 0 ? bytes : Buffer.concat([this.#unread, bytes]);
    this.#read();
    if (this.#answers.length >= this.#wanted) this.#wake();
  }

  over(ending: "fin" | "reset"): void {
    if (this.#ending !== "open") return;
    this.#ending = ending;
    this.#read();
    this.#wake();
  }

  #read(): void {
    while (this.#unread.length > 0 && this.problem === "" && !this.#switched) {
      const reading = {
        response: true,
        bodiless: this.#bodiless(this.#answers.length),
        ended: this.#ending === "fin",
      };
      let message: Message | null = null;
      try {
        message = readMessage(this.#unread, reading);
      } catch (error) {
        this.problem = `malformed answer: ${(error as Error).message}`;
      }
      if (message === null) return;
      this.#unread = this.#unread.subarray(message.size);
      if (statusOf(message) >= 200) this.#answers.push(message);
      else this.#interims++;
      this.#switched = statusOf(message) === 101;
    }
  }
}

const EVENTS: Bun.SocketHandler<Visitor, "buffer"> = {
  binaryType: "buffer",
  open(socket) {
    socket.setNoDelay(true);
    socket.data.socket = socket;
  },
  data(socket, bytes) {
    socket.data.arrived(bytes);
  },
  end(socket) {
    socket.data.over("fin");
  },
  close(socket, error) {
    socket.data.socket = null;
    socket.data.over(error === undefined ? "fin" : "reset");
  },
  error() {
    // A reset while writing: `close` follows and says so.
  },
};

/** Client `client`'s own loopback address: 127.1.0.0 to 127.126.255.255, in turn. */
export function addressOf(client: number): string {
  const at = client % (126 * 65_536);
  return `127.${1 + (at >>> 16)}.${(at >>> 8) & 255}.${at & 255}`;
}
