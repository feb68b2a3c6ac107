/** The plainest client of an API server there can be: what a server does is judged by it alone. */
import { lines } from "./lines.ts";

const WAIT_MS_MAX = 20_000;

/** How to reach a server; files are read already. */
export type Connection = Readonly<{
  server: string;
  ca?: string;
  cert?: string;
  key?: string;
  token?: string;
}>;

/** JSON of the API, looked into at will. */
export type Json = any;

export type Reply = Readonly<{ status: number; body: Json }>;

export type Call = Readonly<{
  query?: Readonly<Record<string, string>>;
  body?: Json;
  /** `application/json` if not given. */
  type?: string;
}>;

/** One watch. `next` is its next event, or null at its end; it rejects when neither comes. */
export type Watch = Readonly<{
  status: number;
  next: () => Promise<Json | null>;
  stop: () => void;
}>;

export type Client = Readonly<{
  ask: (method: string, path: string, call?: Call) => Promise<Reply>;
  watch: (path: string, query?: Readonly<Record<string, string>>) => Promise<Watch>;
}>;

/** A client for one connection; each request stands alone. */
export function openClient(connection: Connection): Client {
  const { ca, cert, key, token } = connection;
  const tls = { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) };
  const send = (path: string, call: Call, more: RequestInit): Promise<Response> => {
    const query = new URLSearchParams(call.query).toString();
    const headers = new Headers(token === undefined ? {} : { Authorization: `Bearer ${token}` });
    if (call.body !== undefined) headers.set("Content-Type", call.type ?? "application/json");
    const body = call.body === undefined ? null : JSON.stringify(call.body);
    const url = `${connection.server}${path}${query === "" ? "" : `?${query}`}`;
    return fetch(url, { headers, body, tls, ...more });
  };
  return {
    ask: async (method, path, call = {}) => {
      const answer = await send(path, call, { method, signal: AbortSignal.timeout(WAIT_MS_MAX) });
      return { status: answer.status, body: parsed(await answer.text()) };
    },
    watch: async (path, query = {}) => {
      const stopper = new AbortController();
      const call = { query: { watch: "true", ...query } };
      const answer = await send(path, call, { signal: stopper.signal });
      const stream = lines(answer.body!);
      const next = async (): Promise<Json | null> => {
        const { promise, reject } = Promise.withResolvers<never>();
        const late = setTimeout(() => reject(new Error(`no event from ${path}`)), WAIT_MS_MAX);
        try {
          const { value, done } = await Promise.race([stream.next(), promise]);
          return done === true ? null : JSON.parse(value);
        } finally {
          clearTimeout(late);
        }
      };
      return { status: answer.status, next, stop: () => stopper.abort() };
    },
  };
}

/** Not every answer is JSON: an unknown path gets plain text. */
function parsed(text: string): Json {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return text;
    throw error;
  }
}
