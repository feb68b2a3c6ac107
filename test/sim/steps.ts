/** What remote ends of scripts are made of: requests and answers, steps, clients and backends. */
import { readMessage, type Message } from "../message.ts";
import type { Limits } from "../../core/limits.ts";
import type { RoutePolicy } from "../../core/model.ts";
import type { Actor, Remote } from "./network.ts";
import { readResponses } from "./transcript.ts";
import type { Serve } from "./world.ts";

/** One request, and the answer that is right for it. Its path is `/tag`. */
export type Ask = Readonly<{
  method: string;
  tag: string;
  status: number;
  body: string;
  /** How many bytes are uploaded. */
  up: number;
}>;

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
  policy?: Partial<RoutePolicy>;
  rooms?: Readonly<{ client: number; backend: number }>;
  /** What goes through the tunnel, each way. */
  tunnel?: Readonly<{ toClient: string; toBackend: string }>;
  /** Its answers end with the connection: a FIN that comes too early is the end, for anybody. */
  untilClose?: true;
  /** Its client stops in the middle of a body, so that 408 is right as well. */
  stops?: true;
  /** Not everybody can be served; who is, is a matter of timing. */
  crowded?: true;
  /** Its answer may end before its request does, which then is cut. */
  overtakes?: true;
  /** Connections to backends it takes, with the one that asks afterwards. */
  connections?: number;
  /** Asked by another client afterwards; `null` when the backend has no answer to it. */
  probe?: Ask | null;
}>;

export const BIG = 40_000;
export const KEY = "dGhlIHNhbXBsZSBub25jZQ==";
export const ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
export const UPGRADE = "Connection: upgrade\r\nUpgrade: websocket\r\n";

// --- requests and answers ---

/** Bytes that say whose they are, everywhere. */
export function tagged(tag: string, size: number): string {
  return `${tag} `.repeat(Math.ceil(size / (tag.length + 1))).slice(0, size);
}

export function ask(method: string, tag: string, size = 20, status = 200): Ask {
  const up = method === "GET" || method === "HEAD" ? 0 : 30;
  return { method, tag, status, body: method === "HEAD" ? "" : tagged(tag, size), up };
}

/** No endpoint accepts. */
export function refused(asked: Ask): Ask {
  return said(asked, 502, "502 cannot connect to the backend");
}

/** Rind answers by itself. */
export function said(asked: Ask, status: number, text: string): Ask {
  return { ...asked, status, body: `${text}\n` };
}

export function head(method: string, tag: string, fields = ""): string {
  return `${method} /${tag} HTTP/1.1\r\nHost: sim\r\n${fields}\r\n`;
}

/** `size` is the body's; `fields` is whole lines. */
export function upload(method: string, tag: string, size: number, fields = ""): string {
  return head(method, tag, `${fields}Content-Length: ${size}\r\n`) + tagged(tag, size);
}

export function sized(tag: string, size: number, fields = ""): string {
  return `HTTP/1.1 200 X\r\n${fields}Content-Length: ${size}\r\n\r\n${tagged(tag, size)}`;
}

export function chunk(text: string): string {
  return `${text.length.toString(16)}\r\n${text}\r\n`;
}

/** A chunked answer of two chunks, the first of `size` bytes; each part is sent by itself. */
export function inChunks(body: string, size: number, trailers = ""): string[] {
  const fields = trailers === "" ? "" : "Trailer: X-Sum\r\n";
  return [
    `HTTP/1.1 200 X\r\n${fields}Transfer-Encoding: chunked\r\n\r\n`,
    chunk(body.slice(0, size)),
    chunk(body.slice(size)),
    `0\r\n${trailers}\r\n`,
  ];
}

/** Cuts what is sent, as a network may. */
export function inPieces(text: string, size: number): string[] {
  const count = Math.ceil(text.length / size);
  return Array.from({ length: count }, (_, i) => text.slice(i * size, (i + 1) * size));
}

/** The tag of a request. */
export function tagOf(message: Message): string {
  return message.first.split(" ")[1]!.slice(1);
}

// --- steps ---

export function send(...pieces: readonly string[]): Step {
  return (remote) => {
    for (const piece of pieces) remote.send(piece);
    return null;
  };
}

/** Waits for so many final answers to `asks`, or for the other side to leave. */
export function answers(count: number, ...asks: readonly Ask[]): Step {
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
export function sees(text: string): Step {
  return (remote) => () => remote.ending !== "open" || remote.received.includes(text);
}

/** Waits until the other side has left. */
export const left: Step = (remote) => () => remote.ending !== "open";

/** Waits until nothing happens any more: until a pool has settled, say. */
export const rest: Step = ({ socket: { network } }) => {
  const { rests } = network;
  return () => network.rests > rests;
};

export const fin: Step = (remote) => {
  remote.fin();
  return null;
};

/** Closes, whatever comes. */
export const leave: Step = (remote) => {
  remote.leave();
  return null;
};

/** From now on it reads so many bytes a turn. */
export function reads(pace: number): Step {
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
export function inTurn(...asks: readonly Ask[]): Client {
  const steps = asks.flatMap(({ method, tag, up }, i) => [
    send(up === 0 ? head(method, tag) : upload(method, tag, up)),
    answers(i + 1, ...asks),
    rest,
    rest,
  ]);
  return { asks, steps };
}

/** A client with one request. */
export function once(asked: Ask, ...steps: readonly Step[]): Client {
  return { asks: [asked], steps: [...steps, answers(1, asked)] };
}

// --- backends ---

/** Answers each whole request by these steps; closes when rind does. */
export function answering(steps: (request: Message, index: number) => readonly Step[]): Serve {
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

/** Answers by `first` when the head is here, and by `then` when the body is as well. */
export function hasty(
  first: (tag: string) => readonly Step[],
  then: (tag: string) => readonly Step[],
): Serve {
  return function* serve(remote): Actor {
    let at = 0;
    let size = 0;
    const begun = (): boolean =>
      remote.ending !== "open" || remote.received.includes("\r\n\r\n", at);
    const whole = (): boolean => {
      const reading = { response: false, bodiless: false, ended: false };
      size = readMessage(remote.received.subarray(at), reading)?.size ?? 0;
      return size > 0 || remote.ending !== "open";
    };
    while (true) {
      yield begun;
      const tag = /^\w+ \/(\w+) /.exec(remote.received.toString("latin1", at))?.[1];
      if (tag === undefined) return;
      yield* acting(remote, first(tag));
      yield whole;
      if (size === 0) return;
      yield* acting(remote, then(tag));
      at += size;
    }
  };
}

/** Reads slowly. */
export function slowly(serve: Serve): Serve {
  return (remote, index) => {
    remote.pace = 3_000;
    return serve(remote, index);
  };
}

/** Acts as soon as a connection is open, whatever is asked. */
export function following(...steps: readonly Step[]): Serve {
  return (remote) => acting(remote, steps);
}

/** 20 bytes to everything. */
export const plain: Serve = answering((request) => {
  const answer = sized(tagOf(request), 20);
  return [send(request.first.startsWith("HEAD") ? answer.slice(0, -20) : answer)];
});

/** An answer that ends with the connection. */
export const untilClose: Serve = answering((request) => [
  send("HTTP/1.1 200 X\r\n\r\n", tagged(tagOf(request), 10)),
  send(tagged(tagOf(request), 20).slice(10)),
  fin,
]);

/** A client that asks once, for something small. */
export function probing(remote: Remote, asked: Ask): Actor {
  return acting(remote, once(asked, send(head(asked.method, asked.tag))).steps);
}
