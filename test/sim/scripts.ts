/** What clients and backends do: every way an exchange can go, as a table. */
import { readMessage, type Message } from "../message.ts";
import type { Limits } from "../../core/limits.ts";
import type { Actor, Remote } from "./network.ts";
import { readResponses } from "./transcript.ts";
import type { Serve } from "./world.ts";

/** One request, and the answer that is right for it. Its path is `/tag`. */
export type Ask = Readonly<{ method: string; tag: string; status: number; body: string }>;

/** One thing that a remote end does; it goes on when what is returned holds. */
type Step = (remote: Remote) => (() => boolean) | null;

export type Client = Readonly<{ asks: readonly Ask[]; steps: readonly Step[] }>;

export type Script = Readonly<{
  name: string;
  clients: readonly Client[];
  serve: Serve;
  endpoints?: number;
  refusing?: number;
  limits?: Partial<Limits>;
  rooms?: Readonly<{ client: number; backend: number }>;
  /** What goes through the tunnel, each way. */
  tunnel?: Readonly<{ toClient: string; toBackend: string }>;
  /** Its answers end with the connection: a FIN that comes too early is the end, for anybody. */
  untilClose?: true;
  /** Its client stops in the middle of a body, so that 408 is right as well. */
  stops?: true;
  /** Asked by another client afterwards; `null` when the backend has no answer to it. */
  probe?: Ask | null;
}>;

const BIG = 40_000;
const KEY = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
const UPGRADE = "Connection: upgrade\r\nUpgrade: websocket\r\n";

// --- requests and answers ---

/** Bytes that say whose they are, everywhere. */
function tagged(tag: string, size: number): string {
  return `${tag} `.repeat(Math.ceil(size / (tag.length + 1))).slice(0, size);
}

function ask(method: string, tag: string, size = 20, status = 200): Ask {
  return { method, tag, status, body: method === "HEAD" ? "" : tagged(tag, size) };
}

/** No endpoint accepts. */
function refused(asked: Ask): Ask {
  return { ...asked, status: 502, body: "502 cannot connect to the backend\n" };
}

function head(method: string, tag: string, fields = ""): string {
  return `${method} /${tag} HTTP/1.1\r\nHost: sim\r\n${fields}\r\n`;
}

function upload(method: string, tag: string, size: number): string {
  return head(method, tag, `Content-Length: ${size}\r\n`) + tagged(tag, size);
}

function sized(tag: string, size: number, fields = ""): string {
  return `HTTP/1.1 200 X\r\n${fields}Content-Length: ${size}\r\n\r\n${tagged(tag, size)}`;
}

function chunk(text: string): string {
  return `${text.length.toString(16)}\r\n${text}\r\n`;
}

/** A chunked answer of two chunks, the first of `size` bytes; each part is sent by itself. */
function inChunks(body: string, size: number, trailers = ""): string[] {
  const fields = trailers === "" ? "" : "Trailer: X-Sum\r\n";
  return [
    `HTTP/1.1 200 X\r\n${fields}Transfer-Encoding: chunked\r\n\r\n`,
    chunk(body.slice(0, size)),
    chunk(body.slice(size)),
    `0\r\n${trailers}\r\n`,
  ];
}

/** The tag of a request. */
export function tagOf(message: Message): string {
  return message.first.split(" ")[1]!.slice(1);
}

// --- steps ---

function send(...pieces: readonly string[]): Step {
  return (remote) => {
    for (const piece of pieces) remote.send(piece);
    return null;
  };
}

/** Waits for so many final answers to `asks`, or for the other side to leave. */
function answers(count: number, ...asks: readonly Ask[]): Step {
  const methods = asks.map(({ method }) => method);
  return (remote) => {
    let read = -1;
    let found = 0;
    return () => {
      if (remote.ending !== "open") return true;
      if (remote.received.length === read) return false;
      read = remote.received.length;
      found = readResponses(remote.received, methods, false).messages.length;
      return found >= count;
    };
  };
}

/** Waits for these bytes, or for the other side to leave. */
function sees(text: string): Step {
  return (remote) => () => remote.ending !== "open" || remote.received.includes(text);
}

/** Waits until the other side has left. */
const left: Step = (remote) => () => remote.ending !== "open";

/** Waits until nothing happens any more: until a pool has settled, say. */
const rest: Step = ({ socket: { network } }) => {
  const { rests } = network;
  return () => network.rests > rests;
};

const fin: Step = (remote) => {
  remote.fin();
  return null;
};

/** From now on it reads so many bytes a turn. */
function reads(pace: number): Step {
  return (remote) => {
    remote.pace = pace;
    return null;
  };
}

/** A remote end that does one thing after the other. */
export function* acting(remote: Remote, steps: readonly Step[]): Actor {
  for (const step of steps) {
    const wait = step(remote);
    if (wait !== null) yield wait;
  }
}

/** A client that asks for these one after the other, and stays. */
function inTurn(...asks: readonly Ask[]): Client {
  const steps = asks.flatMap(({ method, tag }, i) => [
    send(method === "GET" ? head(method, tag) : upload(method, tag, 30)),
    answers(i + 1, ...asks),
    rest,
  ]);
  return { asks, steps };
}

/** A client with one request. */
function once(asked: Ask, ...steps: readonly Step[]): Client {
  return { asks: [asked], steps: [...steps, answers(1, asked)] };
}

// --- backends ---

/** Answers each whole request by these steps; closes when rind does. */
function answering(steps: (request: Message, index: number) => readonly Step[]): Serve {
  return function* serve(remote, index): Actor {
    let at = 0;
    let request: Message | null = null;
    const whole = (): boolean => {
      const reading = { response: false, bodiless: false, ended: false };
      request = readMessage(remote.received.subarray(at), reading);
      return request !== null || remote.ending !== "open";
    };
    while (true) {
      yield whole;
      if (request === null) return;
      at += (request as Message).size;
      yield* acting(remote, steps(request, index));
    }
  };
}

/** Acts as soon as a connection is open, whatever is asked. */
function following(...steps: readonly Step[]): Serve {
  return (remote) => acting(remote, steps);
}

/** 20 bytes to everything. */
const plain: Serve = answering((request) => {
  const answer = sized(tagOf(request), 20);
  return [send(request.first.startsWith("HEAD") ? answer.slice(0, -20) : answer)];
});

/** An answer that ends with the connection. */
const untilClose: Serve = answering((request) => [
  send("HTTP/1.1 200 X\r\n\r\n", tagged(tagOf(request), 10)),
  send(tagged(tagOf(request), 20).slice(10)),
  fin,
]);

// --- the table ---

const get = ask("GET", "aa");
const post = ask("POST", "pp");
const big = ask("GET", "big", BIG);

export const SCRIPTS: readonly Script[] = [
  { name: "get", clients: [once(get, send(head("GET", "aa")))], serve: plain },
  { name: "head", clients: [once(ask("HEAD", "aa"), send(head("HEAD", "aa")))], serve: plain },
  {
    name: "empty",
    clients: [once({ ...get, status: 204, body: "" }, send(head("GET", "aa")))],
    serve: answering(() => [send("HTTP/1.1 204 X\r\n\r\n")]),
    probe: { ...ask("GET", "probe", 0), status: 204 },
  },
  {
    name: "slowReader",
    clients: [once(big, reads(3_000), send(head("GET", "big")))],
    serve: answering((request) => {
      const answer = sized(tagOf(request), BIG);
      return [send(answer.slice(0, 20_000), answer.slice(20_000))];
    }),
    rooms: { client: 6_000, backend: 6_000 },
    probe: ask("GET", "probe", BIG),
  },
  {
    name: "slowReaderChunked",
    clients: [once(big, reads(3_000), send(head("GET", "big")))],
    serve: answering((request) => [send(...inChunks(tagged(tagOf(request), BIG), 17_000))]),
    rooms: { client: 6_000, backend: 6_000 },
    probe: ask("GET", "probe", BIG),
  },
  {
    name: "post",
    clients: [
      once(
        post,
        send(head("POST", "pp", "Content-Length: 30\r\n"), tagged("pp", 12)),
        send(tagged("pp", 30).slice(12)),
      ),
    ],
    serve: plain,
  },
  {
    name: "postChunked",
    clients: [
      once(
        post,
        send(head("POST", "pp", "Transfer-Encoding: chunked\r\n")),
        send(chunk("pp "), chunk("pp pp "), "0\r\nX-Sum: 1\r\n\r\n"),
      ),
    ],
    serve: plain,
  },
  {
    name: "slowUpload",
    clients: [once(post, send(upload("POST", "pp", BIG)))],
    serve: (remote, index) => {
      remote.pace = 3_000;
      return plain(remote, index);
    },
    rooms: { client: 6_000, backend: 6_000 },
  },
  {
    name: "expect",
    clients: [
      once(
        post,
        send(head("POST", "pp", "Expect: 100-continue\r\nContent-Length: 30\r\n")),
        sees("HTTP/1.1 100 Continue\r\n\r\n"),
        send(tagged("pp", 30)),
      ),
    ],
    serve: plain,
  },
  {
    name: "pipelined",
    clients: [
      {
        asks: [get, ask("GET", "bb"), ask("GET", "cc")],
        steps: [send(head("GET", "aa") + head("GET", "bb") + head("GET", "cc"))],
      },
    ],
    serve: plain,
  },
  {
    name: "pipelinedPost",
    clients: [
      {
        asks: [get, post, ask("GET", "cc")],
        steps: [send(head("GET", "aa") + upload("POST", "pp", 30) + head("GET", "cc"))],
      },
    ],
    serve: plain,
  },
  {
    name: "pipelinedBad",
    clients: [
      {
        asks: [get, { ...get, status: 400, body: "bad request: request line\n" }],
        steps: [send(`${head("GET", "aa")}nonsense\r\n\r\n`)],
      },
    ],
    serve: plain,
  },
  { name: "reused", clients: [inTurn(get, ask("GET", "bb"))], serve: plain },
  { name: "reusedPost", clients: [inTurn(get, post)], serve: plain },
  { name: "reusedPut", clients: [inTurn(get, ask("PUT", "uu"))], serve: plain },
  {
    name: "closing",
    clients: [inTurn(get, ask("GET", "bb"))],
    serve: answering((request) => [send(sized(tagOf(request), 20, "Connection: close\r\n")), fin]),
  },
  {
    name: "untilClose",
    clients: [inTurn(get, ask("GET", "bb"))],
    serve: untilClose,
    untilClose: true,
  },
  {
    name: "untilCloseOld",
    clients: [once(get, send("GET /aa HTTP/1.0\r\nHost: sim\r\n\r\n"))],
    serve: untilClose,
    untilClose: true,
  },
  {
    name: "chunkedTrailers",
    clients: [inTurn(get, ask("GET", "bb"))],
    serve: answering((request) => [
      send(...inChunks(tagged(tagOf(request), 20), 9, "X-Sum: 1\r\n")),
    ]),
  },
  {
    name: "chunkedOld",
    clients: [once(get, send("GET /aa HTTP/1.0\r\nHost: sim\r\n\r\n"))],
    serve: answering((request) => [send(...inChunks(tagged(tagOf(request), 20), 9))]),
  },
  {
    name: "early",
    clients: [
      once(
        { ...post, status: 403 },
        send(head("POST", "pp", "Content-Length: 200000\r\n"), tagged("pp", 1_000)),
      ),
    ],
    serve: following(sees("\r\n\r\n"), send(sized("pp", 20).replace("200", "403"))),
    stops: true,
    probe: null,
  },
  {
    name: "interim",
    clients: [inTurn(get, ask("GET", "bb"))],
    serve: answering((request) => [
      send("HTTP/1.1 103 X\r\nLink: <a>\r\n\r\n"),
      send(sized(tagOf(request), 20)),
    ]),
  },
  {
    name: "tunnel",
    clients: [
      {
        asks: [ask("GET", "ws", 0, 101)],
        steps: [
          send(
            head(
              "GET",
              "ws",
              `${UPGRADE}Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${KEY}\r\n`,
            ),
          ),
          sees("welcome"),
          send("ping 1 ", "ping 2 "),
          sees("pong"),
          send("bye"),
          fin,
        ],
      },
    ],
    serve: following(
      sees("\r\n\r\n"),
      send(`HTTP/1.1 101 X\r\n${UPGRADE}Sec-WebSocket-Accept: ${ACCEPT}\r\n\r\n`),
      send("welcome "),
      sees("ping 2 "),
      send("pong "),
      left,
      send("farewell"),
      fin,
    ),
    probe: null,
    tunnel: { toClient: "welcome pong farewell", toBackend: "ping 1 ping 2 bye" },
  },
  {
    name: "elsewhere",
    clients: [inTurn(get, post)],
    serve: plain,
    endpoints: 2,
    refusing: 1,
  },
  {
    name: "elsewherePost",
    clients: [once(post, send(upload("POST", "pp", 30)))],
    serve: plain,
    endpoints: 2,
    refusing: 1,
  },
  {
    name: "nowhere",
    clients: [once(refused(get), send(head("GET", "aa")))],
    serve: plain,
    endpoints: 2,
    refusing: 2,
    probe: refused(get),
  },
  { name: "halfClose", clients: [once(get, send(head("GET", "aa")), fin)], serve: plain },
  {
    name: "halfClosePipelined",
    clients: [
      {
        asks: [get, ask("GET", "bb")],
        steps: [send(head("GET", "aa") + head("GET", "bb")), fin],
      },
    ],
    serve: plain,
  },
  {
    name: "twoClients",
    clients: [inTurn(get, ask("GET", "bb")), inTurn(ask("GET", "cc"), post)],
    serve: plain,
  },
];

/** A client that asks once, for something small. */
export function probing(remote: Remote, asked: Ask): Actor {
  return acting(remote, once(asked, send(head(asked.method, asked.tag))).steps);
}
