/**
 * An API server for tests: lists, watches and writes like the real one, on loopback, and every
 * fault that one can have. `bun test/apiserver.ts [PORT]` runs it as a process of its own, which
 * takes orders by IPC (test/apiserver/orders.ts).
 */
import { type Denial, Guard } from "./apiserver/access.ts";
import type { Authority } from "./apiserver/authority.ts";
import { type Call, callOf } from "./apiserver/call.ts";
import { type Answer, Connection, CONNECTION_EVENTS } from "./apiserver/connection.ts";
import { discover } from "./apiserver/discovery.ts";
import { type Fault, Faults, type Where } from "./apiserver/faults.ts";
import { type KindRow, KINDS } from "./apiserver/kinds.ts";
import { Lists } from "./apiserver/list.ts";
import { type Change, type Entry, type Given, jsonOf, Objects } from "./apiserver/objects.ts";
import { takeOrders } from "./apiserver/orders.ts";
import { selectorOf } from "./apiserver/select.ts";
import { failure, notFound, type Status, tooOld } from "./apiserver/status.ts";
import { lifeOf, Watch } from "./apiserver/watch.ts";
import { write } from "./apiserver/write.ts";
import type { Message } from "./message.ts";

export type ApiServerOptions = Readonly<{
  /** 0: a free one. */
  port?: number;
  /** Given, it speaks TLS, and takes client certificates that this authority signed. */
  authority?: Authority;
  /** Changes that watches can go back. */
  window?: number;
  /** Between two bookmarks of a watch. */
  bookmarkMs?: number;
  /** How long a watch lives that says nothing about it. */
  watchMs?: number;
  /** Whether watches may ask for the objects themselves first (`sendInitialEvents`). */
  watchList?: boolean;
  /** A watch from too old a version: an ERROR event, as servers do it, or HTTP 410. */
  gone?: "event" | "status";
  /** Milliseconds since 1970, for creation timestamps. */
  now?: () => number;
}>;

/** One request that was answered, or is being. */
export type Seen = Readonly<{ call: Call; atMs: number }>;

const DEFAULTS = { port: 0, window: 10_000, bookmarkMs: 60_000, watchMs: 1_800_000 };

/** A running server. Objects may be edited from outside, as somebody with kubectl would. */
export class ApiServerDouble {
  readonly faults = new Faults();
  readonly guard = new Guard();
  /** Kinds that are served; put and take rows to install and uninstall them. */
  readonly kinds: KindRow[] = [...KINDS];
  /** All requests so far. */
  readonly seen: Seen[] = [];
  readonly objects: Objects;
  readonly #options: ApiServerOptions;
  readonly #lists: Lists;
  readonly #watches = new Set<Watch>();
  readonly #connections = new Set<Connection>();
  readonly #listener: Bun.TCPSocketListener<Connection>;
  readonly #port: number;
  #away = false;

  constructor(options: ApiServerOptions) {
    this.#options = options;
    const tell = (change: Change): void => {
      for (const watch of this.#watches) watch.change(change);
    };
    this.objects = new Objects(options.window ?? DEFAULTS.window, options.now ?? Date.now, tell);
    this.#lists = new Lists(this.objects);
    this.#listener = this.#listen(options.port ?? DEFAULTS.port);
    this.#port = this.#listener.port;
  }

  get port(): number {
    return this.#port;
  }

  /** Such as `http://127.0.0.1:40000`. */
  get url(): string {
    const scheme = this.#options.authority === undefined ? "http" : "https";
    return `${scheme}://127.0.0.1:${this.#port}`;
  }

  /**
   * Every connection is reset, old and new, until `up`. The port stays taken: one that is closed
   * could be somebody else's when it is wanted again.
   */
  down(): void {
    this.#away = true;
    for (const watch of this.#watches) watch.stop();
    for (const connection of this.#connections) connection.reset();
  }

  /** The end of `down`. */
  up(): void {
    this.#away = false;
  }

  /** The end of it all: connections are refused. */
  stop(): void {
    this.down();
    this.#listener.stop(true);
  }

  /** Switches a fault on; the answer switches it off. */
  disturb(fault: Fault, where: Where = {}): () => void {
    return this.faults.add(fault, where);
  }

  /** Denies what agrees with this; the answer allows it again. */
  deny(denial: Denial): () => void {
    return this.guard.deny(denial);
  }

  /** Writes an object whole, without any validation; the answer is its version. */
  put(given: Given): string {
    return String(this.objects.put(this.#row(given.kind), given).version);
  }

  /** Deletes an object; the answer is the version of its end, or "0" when it was not there. */
  remove(kind: string, namespace: string, name: string): string {
    return String(this.objects.remove(this.#row(kind), namespace, name));
  }

  /** The object as it is now. */
  get(kind: string, namespace: string, name: string): Entry["object"] | undefined {
    return this.objects.get(this.#row(kind), namespace, name)?.object;
  }

  /** Forgets the past: watches from before now, and continue tokens, are too old. */
  compact(): void {
    this.objects.compact();
    this.#lists.expire();
  }

  /** Watches that are open, of one resource or of all. */
  watches(resource?: string): Watch[] {
    const open = [...this.#watches].filter((watch) => !watch.over);
    return resource === undefined ? open : open.filter(({ call }) => call.resource === resource);
  }

  /** How many requests agreed with this. */
  count(where: Readonly<{ verb?: string; resource?: string; name?: string }>): number {
    const { verb, resource, name } = where;
    return this.seen.filter(
      ({ call }) =>
        (verb ?? call.verb) === call.verb &&
        (resource ?? call.resource) === call.resource &&
        (name ?? call.name) === call.name,
    ).length;
  }

  #listen(port: number): Bun.TCPSocketListener<Connection> {
    const { authority } = this.#options;
    const accept = (socket: Bun.Socket<Connection>): void => this.#accept(socket);
    return Bun.listen<Connection>({
      hostname: "127.0.0.1",
      port,
      ...(authority === undefined ? {} : { tls: tlsOf(authority) }),
      socket: {
        ...CONNECTION_EVENTS,
        open: accept,
        handshake(socket, _, error) {
          socket.data.certified = error === null && socket.getPeerCertificate() !== undefined;
        },
      },
    });
  }

  #accept(socket: Bun.Socket<Connection>): void {
    const connection = new Connection(socket, (request) => this.#request(request, connection));
    socket.data = connection;
    if (this.#away) return connection.reset();
    this.#connections.add(connection);
    connection.onClose(() => this.#connections.delete(connection));
  }

  #row(kind: string): KindRow {
    const row = this.kinds.find((each) => each.kind === kind);
    if (row === undefined) throw new Error(`no kind ${kind}`);
    return row;
  }

  #request(message: Message, connection: Connection): void {
    const call = callOf(message, this.kinds);
    this.seen.push({ call, atMs: performance.now() });
    if (this.faults.take("blackhole", call) !== undefined) return;
    if (this.faults.take("reset", call) !== undefined) return connection.reset();
    connection.pace = this.faults.take("drip", call) ?? null;
    const late = this.faults.take("delay", call);
    if (late === undefined) return this.#answer(call, connection);
    const timer = setTimeout(() => this.#answer(call, connection), late.ms);
    connection.onClose(() => clearTimeout(timer));
  }

  #answer(call: Call, connection: Connection): void {
    if (connection.closed) return;
    const answer = this.#decide(call, connection);
    if (answer === null) return;
    const cut = this.faults.take("cut", call)?.bytes;
    if (!("code" in answer)) return connection.answer(answer, cut);
    const status = answer.code === 0 ? 200 : answer.code;
    const seconds = (answer.details?.["retryAfterSeconds"] ?? null) as number | null;
    const fields: Record<string, string> = seconds === null ? {} : { "Retry-After": `${seconds}` };
    connection.answer({ status, body: JSON.stringify(answer), fields }, cut);
  }

  /** null: a watch has begun. */
  #decide(call: Call, connection: Connection): Answer | Status | null {
    const broken = this.faults.take("answer", call);
    if (broken !== undefined) {
      const seconds = broken.retryAfterSeconds;
      const details = seconds === undefined ? {} : { details: { retryAfterSeconds: seconds } };
      return failure(broken.status, broken.message ?? "as the test asked", details);
    }
    const { row, verb } = call;
    const refusal = this.guard.refusal(call, row, connection.certified);
    if (refusal !== null) return refusal;
    if (row === null) {
      return (
        discover(call.path, this.kinds) ??
        failure(404, "the server could not find the requested resource")
      );
    }
    if (verb === "watch") return this.#watch(row, call, connection);
    if (verb === "list") return this.#lists.page(row, call, this.#mutator(call));
    if (verb !== "get") return write(this.objects, row, call);
    const entry = this.objects.get(row, call.namespace, call.name);
    if (entry === undefined) return notFound(row, call.name);
    return { status: 200, body: jsonOf(entry) };
  }

  #mutator(call: Call): ((entry: Entry) => string) | undefined {
    const found = this.faults.take("mutate", call);
    return found && ((entry) => JSON.stringify(found.mutate(entry.object)));
  }

  #watch(row: KindRow, call: Call, connection: Connection): Status | null {
    const { query } = call;
    const { watchList = true, gone = "event", bookmarkMs = DEFAULTS.bookmarkMs } = this.#options;
    const selects = selectorOf(query.get("labelSelector") ?? "", query.get("fieldSelector") ?? "");
    if (typeof selects === "string") return failure(400, selects);
    const asked = query.get("resourceVersion") ?? "";
    if (!/^\d*$/.test(asked)) return failure(400, `resourceVersion: Invalid value: "${asked}"`);
    const initial = query.get("sendInitialEvents") === "true";
    const matched = query.get("resourceVersionMatch") === "NotOlderThan";
    if (initial && (!watchList || !matched)) return initialRefused(watchList);
    const fresh = initial || Number(asked) === 0;
    const past = fresh ? [] : this.objects.since(Number(asked));
    const old = tooOld(Number(asked), this.objects.oldest);
    if (past === null && gone === "status") return old;
    const stream = connection.stream();
    const { faults } = this;
    const lifeMs = lifeOf(query, this.#options.watchMs ?? DEFAULTS.watchMs);
    const since = fresh ? this.objects.version : Number(asked);
    const options = { call, row, selects, bookmarkMs, lifeMs, since, faults };
    const watch = new Watch(stream, options, () => this.objects.versionOf(row));
    for (const each of this.#watches) if (each.over) this.#watches.delete(each);
    this.#watches.add(watch);
    connection.onClose(() => {
      watch.stop();
      stream.over = true;
      this.#watches.delete(watch);
    });
    if (past === null) watch.fail(old);
    else if (fresh) this.#tellAll(watch, row, initial);
    else for (const change of past) watch.change(change);
    return null;
  }

  #tellAll(watch: Watch, row: KindRow, initial: boolean): void {
    const { query, namespace } = watch.call;
    const selects = selectorOf(query.get("labelSelector") ?? "", query.get("fieldSelector") ?? "");
    for (const entry of this.objects.list(row, namespace)) {
      if (typeof selects !== "string" && selects(entry.object)) watch.event("ADDED", entry);
    }
    if (initial) watch.bookmark(this.objects.version, true);
  }
}

/** Starts one; it listens when this returns. */
export function startApiServer(options: ApiServerOptions = {}): ApiServerDouble {
  return new ApiServerDouble(options);
}

/** Who its user is: a token, or the file that has it. */
type User = Readonly<{ token?: string; tokenFile?: string }>;

/** A kubeconfig for it, as JSON, which is YAML. */
export function kubeconfigOf(
  { url }: ApiServerDouble,
  { authority, ...user }: User & Readonly<{ authority?: Authority }> = {},
): string {
  const base64 = (text: string): string => Buffer.from(text).toString("base64");
  const trust =
    authority === undefined ? {} : { "certificate-authority-data": base64(authority.ca) };
  const context = { cluster: "test", user: "test", namespace: "default" };
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    "current-context": "test",
    clusters: [{ name: "test", cluster: { server: url, ...trust } }],
    users: [{ name: "test", user }],
    contexts: [{ name: "test", context }],
  });
}

function initialRefused(watchList: boolean): Status {
  const what = watchList
    ? "resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch " +
      "to NotOlderThan"
    : "sendInitialEvents: Forbidden: sendInitialEvents is forbidden for watch unless the " +
      "WatchList feature gate is enabled";
  return failure(422, `ListOptions.meta.k8s.io "" is invalid: ${what}`);
}

function tlsOf({ ca, cert, key }: Authority): Bun.TLSOptions {
  // Whoever shows no certificate may still bring a token.
  return { ca, cert, key, requestCert: true, rejectUnauthorized: false };
}

if (import.meta.main) takeOrders(startApiServer({ port: Number(Bun.argv[2] ?? 0) }));
