/**
 * A backend that answers `/bad/N` with the bytes of case N and everything else well; a POST as soon
 * as its head is here. It watches that no connection carries another request after it carried
 * anything but one clean response, nor before the body of the one before has come.
 */
import { readMessage, valuesOf, type Message } from "../message.ts";
import { respond } from "../origin.ts";
import type { Case } from "./cases.ts";
import { readAnswer, type Reading } from "./reading.ts";

/** How a connection is left behind a case; `stay` only when the case ends on its own. */
export type Leaving = "shut" | "reset" | "stay";

/** A case and how it is sent. `reading` is what an independent reader makes of it. */
export type Attack = Readonly<{
  found: Case;
  leaving: Leaving;
  reading: Reading;
  /** Writes that end here; what lies behind a whole response comes along with its end. */
  ends: readonly number[];
}>;

/** What went wrong, and the case it is about if that is known. */
type Wrong = Readonly<{ text: string; found: Case | null }>;

/** Plans case `found` against a request; `toHead`: it is HEAD. */
export function attackOf(found: Case, toHead: boolean): Attack {
  const text = found.bytes.toString("latin1");
  // Every third case ends in RST, unless it needs no end at all.
  const silent = readAnswer({ text, toHead, ended: false });
  const asked: Leaving = found.index % 3 === 0 ? "reset" : "shut";
  const leaving = silent.kind === "whole" && found.index % 4 !== 0 ? "stay" : asked;
  const reading = readAnswer({ text, toHead, ended: leaving === "shut" });
  const whole = reading.kind === "whole" ? reading.size : text.length;
  const ends = found.ends.filter((end) => end < whole);
  return { found, leaving, reading, ends: [...ends, text.length] };
}

/**
 * `tainted`: what makes it a failure that another request comes here, or "". `owed`: bytes of the
 * request's body that did not come yet.
 */
type Line = { unread: Buffer; tainted: string; about: Case | null; busy: boolean; owed: number };

/** Every byte of the bodies that are owed. */
export const BODY_BYTE = "b";
const POST = Buffer.from("POST ");

const NOTHING = Buffer.alloc(0);
const UNASKED = "HTTP/1.1 200 OK\r\nX-Address: unasked\r\nContent-Length: 7\r\n\r\nunasked";

/** Listens on a free port of loopback from its beginning. */
export class Hostile {
  /** Attacks by the number in `/bad/N`; whoever runs them puts them in and takes them out. */
  readonly attacks = new Map<number, Attack>();
  readonly #listener: Bun.TCPSocketListener<Line>;
  readonly #sockets = new Set<Bun.Socket<Line>>();
  #wrongs: Wrong[] = [];

  constructor() {
    const serve = (socket: Bun.Socket<Line>): void => void this.#serve(socket);
    const sockets = this.#sockets;
    this.#listener = Bun.listen<Line>({
      hostname: "127.0.0.1",
      port: 0,
      allowHalfOpen: true,
      socket: {
        binaryType: "buffer",
        open(socket) {
          socket.setNoDelay(true);
          socket.data = { unread: NOTHING, tainted: "", about: null, busy: false, owed: 0 };
          sockets.add(socket);
        },
        data(socket, bytes) {
          socket.data.unread = Buffer.concat([socket.data.unread, bytes]);
          serve(socket);
        },
        end(socket) {
          socket.end();
        },
        close(socket) {
          sockets.delete(socket);
        },
        error() {
          // A reset while writing: the connection is gone.
        },
      },
    });
  }

  get port(): number {
    return this.#listener.port;
  }

  /** What went wrong here since the last call. */
  take(): readonly Wrong[] {
    const taken = this.#wrongs;
    this.#wrongs = [];
    return taken;
  }

  /** Connections that are open. */
  get open(): number {
    return this.#sockets.size;
  }

  /** Speaks unasked on every open connection; nobody may use one of them again. */
  speakUnasked(): void {
    for (const socket of this.#sockets) {
      socket.data.tainted ||= "it spoke while it was idle";
      socket.write(UNASKED);
    }
  }

  stop(): void {
    this.#listener.stop(true);
  }

  async #serve(socket: Bun.Socket<Line>): Promise<void> {
    const line = socket.data;
    if (line.busy) return;
    line.busy = true;
    for (let request = this.#next(line); request !== null; request = this.#next(line)) {
      if (line.tainted !== "") {
        const text = `I4: a connection is used again although ${line.tainted}`;
        this.#wrongs.push({ text, found: line.about });
      }
      const number = / \/bad\/(\d+) /.exec(request.first)?.[1] ?? "-1";
      const attack = this.attacks.get(Number(number));
      if (attack === undefined) socket.write(goodAnswer(request));
      else if (await strike(socket, attack)) return;
    }
    line.busy = false;
  }

  #next(line: Line): Message | null {
    if (line.owed > 0) this.#collect(line);
    if (line.unread.length === 0) return null;
    try {
      const early = line.unread.subarray(0, POST.length).equals(POST);
      const request = readMessage(line.unread, { response: false, bodiless: early, ended: false });
      if (request === null) return null;
      line.unread = line.unread.subarray(request.size);
      if (early) line.owed = Number(valuesOf(request.fields, "content-length")[0]);
      return request;
    } catch (error) {
      const text = `I2: a malformed request at the origin: ${(error as Error).message}`;
      this.#wrongs.push({ text, found: null });
      line.unread = NOTHING;
      return null;
    }
  }

  #collect(line: Line): void {
    const part = line.unread.subarray(0, line.owed);
    line.unread = line.unread.subarray(part.length);
    line.owed -= part.length;
    if (part.every((byte) => byte === BODY_BYTE.charCodeAt(0))) return;
    const text = `I2: a request inside the body of another one: ${part.toString("latin1")}`;
    this.#wrongs.push({ text, found: line.about });
  }
}

function goodAnswer(request: Message): string {
  const [address = "nobody"] = valuesOf(request.fields, "x-real-ip");
  const answer = respond(200, `good ${address}`, `X-Address: ${address}\r\nX-Served: 0\r\n`);
  return request.first.startsWith("HEAD ")
    ? answer.slice(0, answer.indexOf("\r\n\r\n") + 4)
    : answer;
}

/** Sends the bytes of a case and leaves as planned; true when this connection is over. */
async function strike(socket: Bun.Socket<Line>, attack: Attack): Promise<boolean> {
  const { found, leaving, reading, ends } = attack;
  const { bytes } = found;
  socket.data.about = found;
  const clean = reading.kind === "whole" && reading.keeps && reading.size === bytes.length;
  if (!clean || leaving !== "stay") {
    socket.data.tainted = "it sent something else than one response";
  }
  let from = 0;
  for (const end of ends) {
    while (from < end && socket.readyState > 0) {
      from += Math.max(0, socket.write(bytes, from, end - from));
      if (from < bytes.length) await new Promise((resolve) => setImmediate(resolve));
    }
  }
  if (leaving === "stay") return false;
  if (leaving === "reset") socket.terminate();
  else socket.shutdown();
  return true;
}
