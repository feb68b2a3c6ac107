/** Manifests of hosts with TLS, for a folder. */
import type { Given } from "../apiserver/objects.ts";

/** A host of an Ingress, and the Secrets of its certificates, one for each kind of key. */
export type Secured = Readonly<{
  host: string;
  secrets: readonly string[];
  annotations?: Readonly<Record<string, string>>;
}>;

/** A Service of one port. */
export function serviceOf(name: string, port = 80): Given {
  return { apiVersion: "v1", kind: "Service", metadata: { name }, spec: { ports: [{ port }] } };
}

/** Its endpoint is a port of this machine. */
export function sliceOf(name: string, port: number): Given {
  return {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { name, labels: { "kubernetes.io/service-name": name } },
    addressType: "IPv4",
    ports: [{ port }],
    endpoints: [{ addresses: ["127.0.0.1"] }],
  };
}

/** Sends all paths of a host to a Service, which has one port only. */
export function ingressOf(service: string, { host, secrets, annotations = {} }: Secured): Given {
  const port = { number: service === "vault" ? 443 : 80 };
  const path = { path: "/", pathType: "Prefix", backend: { service: { name: service, port } } };
  const name = host.replace("*", "any");
  const tls = secrets.map((secretName) => ({ hosts: [host], secretName }));
  const rules = [{ host, http: { paths: [path] } }];
  return {
    apiVersion: "networking.k8s.io/v1",
    kind: "Ingress",
    metadata: { name, annotations },
    spec: { rules, ...(tls.length > 0 ? { tls } : {}) },
  };
}

/** A Secret whose values are texts. */
export function secretOf(name: string, stringData: Readonly<Record<string, string>>): Given {
  return { apiVersion: "v1", kind: "Secret", metadata: { name }, stringData };
}
