/** A cluster on the API server for tests, a rind that serves it, and clients that never pause. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ApiServerDouble, type ApiServerOptions, startApiServer } from "../apiserver.ts";
import { kubeconfigOf } from "../apiserver.ts";
import type { Given } from "../apiserver/objects.ts";
import { alive, type Program, SOURCE, startRind, until } from "../e2e/program.ts";
import type { ClusterState, Readiness as AnyReadiness, ReportState } from "../../admin/json.ts";
import { startTraffic, type Traffic } from "./traffic.ts";

/** rind, with a control plane in haste. */
const HASTY = [SOURCE[0]!, "--preload", join(import.meta.dir, "haste.ts"), ...SOURCE.slice(1)];
const NAMESPACE = "shop";
/** Hosts that the clients ask for. */
const STEADY = ["brie", "comte", "feta"];

const USER = "system:serviceaccount:rind:rind";

/** Of a rind that serves a cluster. */
type Readiness = AnyReadiness & Readonly<{ cluster: ClusterState }>;

/** An upstream that answers its name. */
export type Origin = Readonly<{ port: number; stop: () => void }>;

export class World {
  readonly api: ApiServerDouble;
  readonly folder: string;
  readonly origins = new Map<string, Origin>();
  #rind: Program | null = null;
  #traffic: Traffic | null = null;
  #sites = 0;

  constructor(options: ApiServerOptions = {}) {
    this.api = startApiServer(options);
    this.folder = mkdtempSync(join(tmpdir(), "rind-faults-"));
    for (const object of [classOf("rind", "rind.dev/ingress-controller"), namespaceOf(NAMESPACE)]) {
      this.api.put(object);
    }
    for (const name of STEADY) this.site(name);
  }

  get rind(): Program {
    if (this.#rind === null) throw new Error("rind was not started");
    return this.#rind;
  }

  get traffic(): Traffic {
    if (this.#traffic === null) throw new Error("no client was started");
    return this.#traffic;
  }

  /** A Service with one endpoint that answers `name`, and an Ingress for NAME.example. */
  site(name: string): void {
    const origin = openOrigin(name);
    this.origins.set(name, origin);
    for (const object of siteOf(name, [origin.port])) this.api.put(object);
  }

  /** Starts rind, by default in haste; resolves when it serves. `more` are further flags. */
  async serve(more: readonly string[] = [], program: readonly string[] = HASTY): Promise<void> {
    const file = join(this.folder, "kubeconfig");
    const tokenFile = join(this.folder, "token");
    writeFileSync(file, kubeconfigOf(this.api, { tokenFile }));
    this.token("first");
    const flags = ["run", "--kubeconfig", file, "--workers", "1", "--allow-address", "127.0.0.0/8"];
    this.#rind = await startRind([...flags, "--lame-duck", "0s", ...more], ".", program);
  }

  /** From now on the API server takes this token only, and rind's token file has it. */
  token(token: string): void {
    writeFileSync(join(this.folder, "token"), token);
    this.api.guard.tokens.clear();
    this.api.guard.tokens.set(token, USER);
  }

  /** Clients ask from now on. */
  ask(): void {
    const bodies = STEADY.map((name) => [`${name}.example`, name] as const);
    this.#traffic = startTraffic(this.rind.port, new Map(bodies));
  }

  /** All watches end, so that what is wrong with new ones is met. */
  endWatches(): void {
    for (const watch of this.api.watches()) watch.end();
  }

  /** The status of a request for NAME.example, or 0: no answer. */
  async status(name: string): Promise<number> {
    try {
      return (await this.rind.get(`${name}.example`)).status;
    } catch {
      return 0;
    }
  }

  /** What `/readyz` says of the cluster, and of itself. */
  async readiness(): Promise<Readiness> {
    const { rind } = this;
    return JSON.parse((await rind.admin("/readyz")).body) as Readiness;
  }

  /** What it says of its writing of status and Events. */
  async report(): Promise<ReportState> {
    const { report } = (await this.readiness()).cluster;
    if (report === null) throw new Error("nothing is reported");
    return report;
  }

  /** `/metrics`. */
  async metrics(): Promise<string> {
    return (await this.rind.admin("/metrics")).body;
  }

  /** `/api/findings`, as text. */
  async findings(): Promise<string> {
    return (await this.rind.admin("/api/findings")).body;
  }

  /** Rind follows the cluster: a new site is served, and is gone when it is deleted. */
  async follows(): Promise<void> {
    const name = `new-${++this.#sites}`;
    this.site(name);
    await until(`${name} is served`, async () => (await this.status(name)) === 200);
    for (const kind of ["Ingress", "EndpointSlice", "Service"]) {
      this.api.remove(kind, NAMESPACE, name);
    }
    await until(`${name} is gone`, async () => (await this.status(name)) === 404);
    this.origins.get(name)?.stop();
  }

  /** Everything ends; nothing is left. */
  async stop(): Promise<void> {
    await this.#traffic?.stop();
    if (this.#rind !== null && alive(this.#rind.pid)) await this.#rind.stop();
    this.api.stop();
    for (const origin of this.origins.values()) origin.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Opens an upstream that answers `body`. */
export function openOrigin(body: string): Origin {
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    idleTimeout: 255,
    fetch: () => new Response(body),
  });
  return { port: server.port ?? 0, stop: () => void server.stop(true) };
}

/** Service, EndpointSlice and Ingress. */
export function siteOf(name: string, ports: readonly number[]): Given[] {
  return [serviceOf(name), ...sliceOf(name, ports), ingressOf(name)];
}

/** An Ingress that sends NAME.example to the Service `name`. */
export function ingressOf(name: string, ingressClassName = "rind"): Given {
  const backend = { service: { name, port: { number: 80 } } };
  const paths = [{ path: "/", pathType: "Prefix", backend }];
  return {
    apiVersion: "networking.k8s.io/v1",
    kind: "Ingress",
    metadata: { name, namespace: NAMESPACE },
    spec: { ingressClassName, rules: [{ host: `${name}.example`, http: { paths } }] },
  };
}

/** A Service of one port. */
export function serviceOf(name: string): Given {
  const spec = { ports: [{ name: "http", port: 80, protocol: "TCP" }] };
  return { apiVersion: "v1", kind: "Service", metadata: { name, namespace: NAMESPACE }, spec };
}

/** Slices of one endpoint each, since a slice has one number for its port; the first is NAME. */
export function sliceOf(name: string, ports: readonly number[]): Given[] {
  return ports.map((port, i) => ({
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: {
      name: i === 0 ? name : `${name}-${i}`,
      namespace: NAMESPACE,
      labels: { "kubernetes.io/service-name": name },
    },
    addressType: "IPv4",
    ports: [{ name: "http", port, protocol: "TCP" }],
    endpoints: [{ addresses: ["127.0.0.1"], conditions: { ready: true } }],
  }));
}

function classOf(name: string, controller: string): Given {
  const spec = { controller };
  return { apiVersion: "networking.k8s.io/v1", kind: "IngressClass", metadata: { name }, spec };
}

function namespaceOf(name: string): Given {
  return { apiVersion: "v1", kind: "Namespace", metadata: { name } };
}
