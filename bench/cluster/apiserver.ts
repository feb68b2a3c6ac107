/** The API server to measure with, as a process of its own that takes orders. */
import { join } from "node:path";
import { mortal } from "../load/namespace.ts";
import type { ApiObject } from "./objects.ts";

const PROGRAM = join(import.meta.dir, "../../test/apiserver.ts");
/** Objects in one message. */
const FILL_MAX = 500;

/** What an order was answered with. */
export type Done = Readonly<{
  /** Just before the change was told, in milliseconds since 1970. */
  atMs: number;
  watches: number;
  count: number;
}>;

type Order =
  | Readonly<{ kind: "put"; object: ApiObject }>
  | Readonly<{ kind: "fill"; objects: readonly ApiObject[] }>
  | Readonly<{ kind: "churn"; perSecond: number; seconds: number }>;

/** A running one. */
export class ApiServer {
  url = "";
  readonly #child: Bun.Subprocess;
  readonly #waiting = new Map<number, (done: Done) => void>();
  #orders = 0;

  constructor(child: Bun.Subprocess) {
    this.#child = child;
  }

  /** Starts one; resolves when it listens. */
  static start(): Promise<ApiServer> {
    return new Promise((resolve) => {
      const child = Bun.spawn([...mortal(), process.execPath, PROGRAM], {
        stdio: ["ignore", "inherit", "inherit"],
        ipc: (message: { url?: string; order?: number } & Done) => {
          if (message.url !== undefined) {
            server.url = message.url;
            resolve(server);
          } else server.#done(message.order ?? 0, message);
        },
      });
      const server = new ApiServer(child);
    });
  }

  /** Puts all of these. */
  async fill(objects: readonly ApiObject[]): Promise<void> {
    for (let at = 0; at < objects.length; at += FILL_MAX) {
      await this.order({ kind: "fill", objects: objects.slice(at, at + FILL_MAX) });
    }
  }

  /** Gives an order; resolves when it was carried out. */
  order(order: Order): Promise<Done> {
    const number = ++this.#orders;
    return new Promise((resolve) => {
      this.#waiting.set(number, resolve);
      this.#child.send({ order: number, ...order });
    });
  }

  /** Ends it. */
  stop(): void {
    this.#child.kill("SIGKILL");
  }

  #done(order: number, done: Done): void {
    this.#waiting.get(order)?.(done);
    this.#waiting.delete(order);
  }
}

/** A kubeconfig for it. */
export function kubeconfigOf(url: string): string {
  const context = { cluster: "bench", user: "bench" };
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    "current-context": "bench",
    clusters: [{ name: "bench", cluster: { server: url } }],
    users: [{ name: "bench", user: {} }],
    contexts: [{ name: "bench", context }],
  });
}
