/** One kept connection of a client, and which worker has its other end. */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";

const NOTHING = Buffer.alloc(0);

/** What was answered. Status 0: nothing, for the reason in `body`. */
export type Answer = Readonly<{ status: number; body: string }>;

/** Asks one request at a time. What the other end closes is opened again by the next one. */
export class Lane {
  /** The local port of the connection. */
  port = 0;
  readonly #to: number;
  #socket: Bun.Socket<undefined> | null = null;
  #unread: Buffer = NOTHING;
  #waiting: ((answer: Answer) => void) | null = null;

  constructor(to: number) {
    this.#to = to;
  }

  /** Connects, if it is not. */
  async open(): Promise<void> {
    if (this.#socket !== null) return;
    const socket = await Bun.connect({
      hostname: "127.0.0.1",
      port: this.#to,
      socket: {
        data: (_, bytes) => this.#arrived(bytes),
        close: () => this.#closed(),
        error: () => this.#closed(),
      },
    });
    socket.setNoDelay(true);
    this.#socket = socket;
    this.port = socket.localPort;
  }

  /** One request and its answer. */
  async ask(host: string, path: string): Promise<Answer> {
    try {
      await this.open();
    } catch (error) {
      return { status: 0, body: String(error) };
    }
    return new Promise((resolve) => {
      this.#waiting = resolve;
      this.#socket?.write(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    });
  }

  /** Ends it. */
  close(): void {
    this.#socket?.terminate();
  }

  #arrived(bytes: Buffer): void {
    this.#unread = Buffer.concat([this.#unread, bytes]);
    const end = this.#unread.indexOf("\r\n\r\n");
    if (end < 0) return;
    const head = this.#unread.toString("latin1", 0, end);
    const size = Number(/^content-length: *(\d+)/im.exec(head)?.[1] ?? 0);
    if (this.#unread.length < end + 4 + size) return;
    const body = this.#unread.toString("latin1", end + 4, end + 4 + size);
    this.#unread = NOTHING;
    // A close that was announced is no failure: the next request opens another connection.
    if (/^connection: *close/im.test(head)) this.#socket = null;
    this.#answer({ status: Number(head.slice(9, 12)), body });
  }

  #closed(): void {
    this.#socket = null;
    this.#unread = NOTHING;
    this.#answer({ status: 0, body: "the connection was closed" });
  }

  #answer(answer: Answer): void {
    const waiting = this.#waiting;
    this.#waiting = null;
    waiting?.(answer);
  }
}

/** Connections enough that every worker has one; others are closed. By the pid of the worker. */
export async function laneForEach(
  workers: readonly number[],
  port: number,
): Promise<ReadonlyMap<number, Lane>> {
  const lanes = new Map<number, Lane>();
  // A connection lands on a worker by chance: after so many none is left out.
  for (let i = 0; lanes.size < workers.length && i < workers.length * 32; i++) {
    const lane = new Lane(port);
    await lane.ask("nobody.example", "/");
    const worker = workers.find((pid) => holds(pid, port, lane.port));
    if (worker === undefined || lanes.has(worker)) lane.close();
    else lanes.set(worker, lane);
  }
  if (lanes.size < workers.length) throw new Error("no connection reached some worker");
  return lanes;
}

/** Whether a process holds the server's end of a connection from `from` to `to`, both loopback. */
function holds(pid: number, to: number, from: number): boolean {
  const hex = (port: number): string => port.toString(16).toUpperCase().padStart(4, "0");
  for (const line of readFileSync(`/proc/${pid}/net/tcp`, "latin1").split("\n")) {
    const fields = line.trim().split(/\s+/);
    if (!fields[1]?.endsWith(`:${hex(to)}`) || !fields[2]?.endsWith(`:${hex(from)}`)) continue;
    const inode = `socket:[${fields[9]}]`;
    return readdirSync(`/proc/${pid}/fd`).some((fd) => {
      try {
        return readlinkSync(`/proc/${pid}/fd/${fd}`) === inode;
      } catch {
        // Closed meanwhile: not the one that is looked for.
        return false;
      }
    });
  }
  return false;
}
