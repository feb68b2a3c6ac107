/**
 * Where the API server is and who we are to it. Reading kubeconfigs, running exec plugins and
 * refreshing tokens is the client library's; it is loaded only by who gives a kubeconfig.
 */
import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import type { KubeConfig } from "@kubernetes/client-node";
import { type Clock, systemClock } from "../../../core/clock.ts";
import { isFields } from "../../objects.ts";
import type { Credentials, ReadAccess } from "./api.ts";
import { boundPlugins } from "./plugin.ts";
import { type Pod, readPodAccess } from "./pod.ts";

/** A plugin that has not answered for so long is run once more. */
const PLUGIN_MS = 30_000;
/** A reason may quote what a plugin wrote to its standard error, characters. */
const REASON_MAX = 300;

/** Where to look: in a kubeconfig, or else in the pod that this runs in. */
export type Whereabouts = Pod &
  Readonly<{
    /** A kubeconfig, or several joined by `:` as in KUBECONFIG; null: the cluster this runs in. */
    kubeconfig: string | null;
    /** A context of it, null for its current one. */
    context: string | null;
  }>;

type Fields = Readonly<Record<string, unknown>>;

type Loaded =
  | Readonly<{ ok: true; config: KubeConfig; from: string; server: string; namespace: string }>
  | Readonly<{ ok: false; reason: string }>;

/** Reads how to reach the API server; connects to nothing and runs no plugin yet. */
export async function readAccess(
  where: Whereabouts,
  clock: Clock = systemClock,
): Promise<ReadAccess> {
  const { kubeconfig, context } = where;
  if (kubeconfig === null) return readPodAccess(where);
  // This module alone, not the package's index: a third of the memory and no generated API.
  const { KubeConfig } = await import("@kubernetes/client-node/dist/config.js");
  const load = (): Loaded => loadFiles(() => new KubeConfig(), kubeconfig, context);
  const first = load();
  if (!first.ok) return first;
  const { from, server, namespace } = first;
  const reload = (): Loaded => {
    const again = load();
    if (!again.ok || again.server === server) return again;
    // Credentials for one server are not for another one to see.
    const reason = `${again.from} is about another server now, ${again.server}: restart rind`;
    return { ok: false, reason };
  };
  const keys = new Keys(first, reload, clock);
  const credentials = (): Promise<Credentials> => keys.read();
  const renew = (refused: Credentials): void => keys.renew(refused);
  return { ok: true, access: { server, from, namespace, credentials, renew } };
}

/** The credentials of one access. Who asks while they are being read gets the same ones. */
class Keys {
  readonly #load: () => Loaded;
  readonly #from: string;
  #config: KubeConfig | null;
  readonly #clock: Clock;
  #reading: Promise<Credentials> | null = null;
  #readingSince = 0;
  /** Those that were read last. */
  #last: Credentials | null = null;

  constructor({ config, from }: Extract<Loaded, { ok: true }>, load: () => Loaded, clock: Clock) {
    this.#clock = clock;
    this.#config = config;
    this.#from = from;
    this.#load = load;
  }

  read(): Promise<Credentials> {
    const now = this.#clock.now();
    if (this.#reading !== null && now - this.#readingSince < PLUGIN_MS) return this.#reading;
    // One that hangs is left to itself: a fresh config has not asked it yet.
    if (this.#reading !== null) this.#config = null;
    const reading = this.#readAnew().finally(() => {
      if (this.#reading === reading) this.#reading = null;
    });
    this.#reading = reading;
    this.#readingSince = now;
    return reading;
  }

  /** The library caches tokens and what plugins answer; a fresh config has cached nothing. */
  renew(refused: Credentials): void {
    if (this.#last === null || Bun.deepEquals(refused, this.#last)) this.#config = null;
  }

  async #readAnew(): Promise<Credentials> {
    if (this.#config === null) {
      const again = this.#load();
      if (!again.ok) return Promise.reject(new Error(again.reason));
      this.#config = again.config;
    }
    this.#last = await readCredentials(this.#config, this.#from);
    return this.#last;
  }
}

// === kubeconfig ===

function loadFiles(open: () => KubeConfig, files: string, context: string | null): Loaded {
  const paths = files.split(":").filter((path) => path !== "");
  let config: KubeConfig | null = null;
  for (const path of paths) {
    const loaded = loadFile(open(), path);
    if (!loaded.ok) return loaded;
    if (config === null) config = loaded.config;
    else merge(config, loaded.config);
  }
  if (config === null) return { ok: false, reason: "the path of the kubeconfig is empty" };
  return choose(config, files, context);
}

function loadFile(
  config: KubeConfig,
  path: string,
): Readonly<{ ok: true; config: KubeConfig } | { ok: false; reason: string }> {
  try {
    const raw: unknown = Bun.YAML.parse(readFileSync(path, "utf8"));
    if (!isFields(raw)) return { ok: false, reason: `${path} is no kubeconfig: it holds no map` };
    config.loadFromFile(path);
    boundPlugins(config);
    takeTokenFiles(config, raw, path);
    return { ok: true, config };
  } catch (error) {
    const reason = messageOf(error);
    const hint = reason.startsWith("ENOENT") ? "there is no such file" : reason;
    return { ok: false, reason: `kubeconfig ${path} cannot be read: ${hint}` };
  }
}

/** The library does not know `tokenFile`, which names a file like that of a service account. */
function takeTokenFiles(config: KubeConfig, raw: Fields, path: string): void {
  const users: readonly unknown[] =
    isFields(raw) && Array.isArray(raw["users"]) ? raw["users"] : [];
  for (const each of users) {
    if (!isFields(each) || !isFields(each["user"])) continue;
    const { tokenFile, token } = each["user"];
    if (typeof tokenFile !== "string" || tokenFile === "" || token) continue;
    const provider = {
      name: "tokenFile",
      config: { tokenFile: resolve(dirname(path), tokenFile) },
    };
    config.users = config.users.map((user) =>
      user.name === each["name"] ? { ...user, authProvider: provider } : user,
    );
  }
}

/** As kubectl does: of two things with one name, the first counts. */
function merge(config: KubeConfig, more: KubeConfig): void {
  const named = (list: readonly { name: string }[]) => new Set(list.map(({ name }) => name));
  const [clusters, users, contexts] = [
    named(config.clusters),
    named(config.users),
    named(config.contexts),
  ];
  for (const cluster of more.clusters) if (!clusters.has(cluster.name)) config.addCluster(cluster);
  for (const user of more.users) if (!users.has(user.name)) config.addUser(user);
  for (const each of more.contexts) if (!contexts.has(each.name)) config.addContext(each);
  if (!config.currentContext) config.setCurrentContext(more.currentContext);
}

function choose(config: KubeConfig, files: string, context: string | null): Loaded {
  const refuse = (reason: string): Loaded => ({
    ok: false,
    reason: `kubeconfig ${files} ${reason}`,
  });
  const wanted = context ?? config.currentContext;
  const names = config.contexts.map(({ name }) => name);
  const named = names.length === 0 ? "it has none" : `it has ${names.join(", ")}`;
  if (!wanted) return refuse(`has no current context; choose one: ${named}`);
  const chosen = config.contexts.find(({ name }) => name === wanted);
  if (chosen === undefined) return refuse(`has no context ${wanted}; ${named}`);
  config.setCurrentContext(wanted);
  const cluster = config.getCurrentCluster();
  if (cluster === null) return refuse(`has no cluster ${chosen.cluster}, of context ${wanted}`);
  if (!chosen.user) beAnonymous(config, wanted);
  if (config.getCurrentUser() === null) {
    return refuse(`has no user ${chosen.user}, of context ${wanted}`);
  }
  if (cluster.proxyUrl) return refuse("has a proxy-url, which rind does not follow");
  const server = cluster.server.replace(/\/+$/, "");
  if (!URL.canParse(server) || !/^https?:/.test(server)) {
    return refuse(`has a server that is no URL: ${server}`);
  }
  // The library refuses plain http unless verifying is off, and there is nothing to verify.
  if (server.startsWith("http:")) {
    config.clusters = config.clusters.map((each) =>
      each.name === cluster.name ? { ...each, skipTLSVerify: true } : each,
    );
  }
  const from = `${files}, context ${wanted}`;
  return { ok: true, config, from, server, namespace: chosen.namespace ?? "default" };
}

/** The library ignores the cluster's authority as well where a context names no user. */
function beAnonymous(config: KubeConfig, context: string): void {
  const user = "anonymous (rind)";
  config.addUser({ name: user });
  config.contexts = config.contexts.map((each) =>
    each.name === context ? { ...each, user } : each,
  );
}

// === credentials ===

/** What the library fills in, in the words of node:https. */
type Filled = {
  headers?: Record<string, unknown>;
  auth?: string;
  ca?: unknown;
  cert?: unknown;
  key?: unknown;
  servername?: unknown;
  rejectUnauthorized?: unknown;
};

async function readCredentials(config: KubeConfig, from: string): Promise<Credentials> {
  const filled: Filled = {};
  try {
    await config.applyToHTTPSOptions(filled as Parameters<KubeConfig["applyToHTTPSOptions"]>[0]);
  } catch (error) {
    return Promise.reject(new Error(`credentials cannot be read (${from}): ${messageOf(error)}`));
  }
  const headers = new Map<string, string>();
  for (const [name, value] of Object.entries(filled.headers ?? {})) {
    headers.set(name.toLowerCase(), String(value).trim());
  }
  if (filled.auth !== undefined) headers.set("authorization", `Basic ${btoa(filled.auth)}`);
  return {
    headers: Object.fromEntries(headers),
    ca: pem(filled.ca),
    cert: pem(filled.cert),
    key: pem(filled.key),
    serverName: typeof filled.servername === "string" ? filled.servername : null,
    verify: filled.rejectUnauthorized !== false,
  };
}

function pem(value: unknown): string | null {
  return value === undefined || value === null ? null : String(value);
}

function messageOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  // So it is with plugins that fail without a word, and with those that were ended.
  return message.trim().slice(0, REASON_MAX) || "a plugin failed, took too long or said too much";
}
