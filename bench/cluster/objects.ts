/** The objects of a cluster to measure with: as many as asked, as alike as real ones are. */

/** Sizes of a cluster. */
export type Size = Readonly<{ ingresses: number; services: number; endpoints: number }>;

/** As JSON has it. */
export type ApiObject = Readonly<{
  apiVersion: string;
  kind: string;
  metadata: Readonly<{ name: string; namespace?: string; labels?: Record<string, string> }>;
  [field: string]: unknown;
}>;

/** Services of one namespace. */
const NAMESPACE_SERVICES = 50;
const BYTE = 256;

/** Everything there is in a cluster of this size, whose endpoints listen on `port`. */
export function objectsOf(size: Size, port: number): ApiObject[] {
  const objects: ApiObject[] = [
    {
      apiVersion: "networking.k8s.io/v1",
      kind: "IngressClass",
      metadata: { name: "rind" },
      spec: { controller: "rind.dev/ingress-controller" },
    },
  ];
  for (let i = 0; i < size.services; i++) objects.push(serviceOf(i), sliceOf(size, i, port));
  for (let i = 0; i < size.ingresses; i++) objects.push(ingressOf(i, "/first"));
  return objects;
}

/** The host of Ingress `i`. */
export function hostOf(i: number): string {
  return `app-${i}.team-${teamOf(i)}.example`;
}

/** Ingress `i`, which sends its host, from `path` on, to Service `i`. */
export function ingressOf(i: number, path: string): ApiObject {
  const backend = { service: { name: `app-${i}`, port: { name: "http" } } };
  const rules = [{ host: hostOf(i), http: { paths: [{ path, pathType: "Prefix", backend }] } }];
  return {
    apiVersion: "networking.k8s.io/v1",
    kind: "Ingress",
    metadata: placed(i),
    spec: { ingressClassName: "rind", rules },
  };
}

/** The slice of Service `i`: its part of all endpoints, each at an address of its own. */
export function sliceOf({ services, endpoints }: Size, i: number, port: number): ApiObject {
  const count = Math.floor(endpoints / services);
  const pods = Array.from({ length: count }, (_, j) => i * count + j);
  return {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { ...placed(i), labels: { "kubernetes.io/service-name": `app-${i}` } },
    addressType: "IPv4",
    ports: [{ name: "http", port, protocol: "TCP" }],
    endpoints: pods.map((pod) => ({
      addresses: [addressOf(pod)],
      conditions: { ready: true, serving: true, terminating: false },
      nodeName: `node-${pod % NAMESPACE_SERVICES}`,
      targetRef: { kind: "Pod", name: `app-${i}-${pod}`, namespace: `team-${teamOf(i)}` },
      zone: `zone-${pod % 3}`,
    })),
  };
}

function serviceOf(i: number): ApiObject {
  const ports = [{ name: "http", port: 80, targetPort: 8080, protocol: "TCP" }];
  const spec = { selector: { app: `app-${i}` }, ports, clusterIP: `10.96.${i >> 8}.${i % BYTE}` };
  return { apiVersion: "v1", kind: "Service", metadata: placed(i), spec };
}

/** 127.1.0.0 and on: all of 127.0.0.0/8 is this machine. */
function addressOf(pod: number): string {
  const high = Math.floor(pod / (BYTE * BYTE)) + 1;
  return `127.${high}.${Math.floor(pod / BYTE) % BYTE}.${pod % BYTE}`;
}

function placed(i: number) {
  return { name: `app-${i}`, namespace: `team-${teamOf(i)}`, labels: { app: `app-${i}` } };
}

function teamOf(i: number): number {
  return Math.floor(i / NAMESPACE_SERVICES);
}
