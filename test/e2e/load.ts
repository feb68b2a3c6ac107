/** Clients that ask without pause, and write down what went wrong. */
import { connect, type Socket } from "node:net";

/** What a connection ended with. `asked`: a request was on its way. */
type Failure = Readonly<{ code: string; asked: boolean; port: number }>;

/** Clients at work. `stop` resolves when the last has its last answer. */
export type Load = Readonly<{
  answered: () => number;
  failures: readonly Failure[];
  stop: () => Promise<void>;
}>;

/** Starts `count` clients; each keeps a connection for as long as it may, or asks once on each. */
export function startLoad(
  port: number,
  host: string,
  { count, keep }: Readonly<{ count: number; keep: boolean }>,
): Load {
  const failures: Failure[] = [];
  let answered = 0;
  let running = true;
  const client = async (): Promise<void> => {
    while (running) {
      const failure = await converse({
        port,
        host,
        more: () => {
          answered++;
          return running && keep;
        },
      });
      if (failure !== null) failures.push(failure);
    }
  };
  const clients = Array.from({ length: count }, client);
  return {
    answered: () => answered,
    failures,
    stop: async () => {
      running = false;
      await Promise.all(clients);
    },
  };
}

type Talk = Readonly<{ port: number; host: string; more: () => boolean }>;

/** One connection, from its beginning to its end; null when nothing was broken. */
function converse(talk: Talk): Promise<Failure | null> {
  return new Promise((resolve) => {
    const socket = connect(talk.port, "127.0.0.1");
    let text = "";
    let asked = true;
    const end = (code: string | null): void => {
      const port = socket.localPort ?? 0;
      socket.destroy();
      resolve(code === null ? null : { code, asked, port });
    };
    socket.setNoDelay(true);
    socket.on("error", (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
    // Closed between two requests is nobody's loss.
    socket.on("end", () => end(asked ? "FIN" : null));
    socket.on("data", (bytes: Buffer) => {
      text += bytes.toString("latin1");
      const size = sizeOf(text);
      if (size < 0 || text.length < size) return;
      const head = text.slice(0, size);
      asked = false;
      text = text.slice(size);
      if (!head.startsWith("HTTP/1.1 200 ")) return end(head.slice(0, 12));
      if (!talk.more() || /^connection: close/im.test(head)) return end(null);
      asked = true;
      ask(socket, talk.host);
    });
    ask(socket, talk.host);
  });
}

function ask(socket: Socket, host: string): void {
  socket.write(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
}

/** Bytes of the response at the front, -1 while its head is not whole. */
function sizeOf(text: string): number {
  const end = text.indexOf("\r\n\r\n");
  if (end < 0) return -1;
  const length = /^content-length: *(\d+)/im.exec(text.slice(0, end));
  return end + 4 + Number(length?.[1] ?? 0);
}
