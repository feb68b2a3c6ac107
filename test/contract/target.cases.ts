/** What the contract runs against, and the objects it makes there. */
import * as assert from "uvu/assert";
import type { Call, Client, Json, Reply, Watch } from "./client.ts";

/** A server under the contract. Each case gets a namespace of its own. */
export type Target = Readonly<{
  /** May do everything. */
  admin: Client;
  /** May do nothing, and is called `user`. */
  denied: Client;
  user: string;
  /** A token that nobody issued. */
  unknown: Client;
  namespace: string;
  /** Forgets the history up to now; null where that cannot be had. */
  compact: (() => Promise<void>) | null;
  /** Checks objects as thoroughly as kube-apiserver does. */
  validates: boolean;
}>;

/** `needs` says what a target must have besides. */
export type Case = Readonly<{
  name: string;
  needs?: "compact" | "validates";
  run: (target: Target) => Promise<void>;
}>;

export const MERGE = "application/merge-patch+json";

/** Nobody's: a rind that looks on must have no reason to write. */
export const CLASS = "contract";

export const ingresses = (namespace: string): string =>
  `/apis/networking.k8s.io/v1/namespaces/${namespace}/ingresses`;
export const services = (namespace: string): string => `/api/v1/namespaces/${namespace}/services`;
export const secrets = (namespace: string): string => `/api/v1/namespaces/${namespace}/secrets`;
export const slices = (namespace: string): string =>
  `/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices`;

export function ingress(name: string, service = name, labels: Json = {}): Json {
  const backend = { service: { name: service, port: { number: 80 } } };
  const paths = [{ path: "/", pathType: "Prefix", backend }];
  return {
    apiVersion: "networking.k8s.io/v1",
    kind: "Ingress",
    metadata: { name, labels },
    spec: { ingressClassName: CLASS, rules: [{ host: `${name}.example`, http: { paths } }] },
  };
}

export function service(name: string): Json {
  const spec = { ports: [{ port: 80 }], selector: { app: name } };
  return { apiVersion: "v1", kind: "Service", metadata: { name }, spec };
}

export function secret(name: string, value: string): Json {
  return { apiVersion: "v1", kind: "Secret", metadata: { name }, data: { value: btoa(value) } };
}

export function slice(name: string, address: string): Json {
  return {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { name, labels: { "kubernetes.io/service-name": name } },
    addressType: "IPv4",
    ports: [{ name: "", port: 80 }],
    endpoints: [{ addresses: [address], conditions: { ready: true } }],
  };
}

/** A request that must end with `status`, 200 if not given; resolves to its body. */
export async function ask(
  client: Client,
  method: string,
  path: string,
  { status = 200, ...call }: Call & { status?: number } = {},
): Promise<Json> {
  const reply: Reply = await client.ask(method, path, call);
  assert.is(reply.status, status, `${method} ${path}: ${JSON.stringify(reply.body)}`);
  return reply.body;
}

export const create = (client: Client, path: string, body: Json): Promise<Json> =>
  ask(client, "POST", path, { status: 201, body });

/** The events of a watch until `last` is one, which is among them. */
export async function until(watch: Watch, last: (event: Json) => boolean): Promise<Json[]> {
  const events: Json[] = [];
  for (;;) {
    const event = await watch.next();
    assert.ok(event !== null, `the watch ended after ${JSON.stringify(events)}`);
    events.push(event);
    if (last(event)) return events;
  }
}

/** `ADDED name` and the like, without bookmarks. */
export function told(events: readonly Json[]): string[] {
  return events
    .filter(({ type }) => type !== "BOOKMARK")
    .map(({ type, object }) => `${type} ${object.metadata.name}`);
}
