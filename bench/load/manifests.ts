/** What rind serves while it is measured: one origin behind a host in clear and two over TLS. */
import type { KeyPair } from "../../core/model.ts";
import { HOSTS } from "./rows.ts";

type Pairs = Readonly<Record<"secure" | "rsa", KeyPair>>;

/** All manifests as one JSON text. */
export function manifestsOf(originPort: number, pairs: Pairs): string {
  const service = { metadata: { name: "origin" }, apiVersion: "v1", kind: "Service" };
  const slice = {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { name: "origin-1", labels: { "kubernetes.io/service-name": "origin" } },
    addressType: "IPv4",
    ports: [{ port: originPort }],
    endpoints: [{ addresses: ["127.0.0.1"], conditions: { ready: true } }],
  };
  const items = [
    { ...service, spec: { ports: [{ port: 80, targetPort: originPort }] } },
    slice,
    ingressOf("plain", HOSTS.plain, false),
    ingressOf("secure", HOSTS.secure, true),
    ingressOf("rsa", HOSTS.rsa, true),
    secretOf("secure", pairs.secure),
    secretOf("rsa", pairs.rsa),
  ];
  return JSON.stringify({ apiVersion: "v1", kind: "List", items });
}

/** A Secret of type kubernetes.io/tls. */
export function secretOf(name: string, { chain, key }: KeyPair) {
  const data = { "tls.crt": btoa(chain), "tls.key": btoa(key) };
  return { apiVersion: "v1", kind: "Secret", type: "kubernetes.io/tls", metadata: { name }, data };
}

/** An Ingress for all of a host; with TLS, by the Secret of the same name. */
export function ingressOf(name: string, host: string, secure: boolean) {
  const backend = { service: { name: "origin", port: { number: 80 } } };
  const rules = [{ host, http: { paths: [{ path: "/", pathType: "Prefix", backend }] } }];
  return {
    apiVersion: "networking.k8s.io/v1",
    kind: "Ingress",
    metadata: { name },
    spec: secure ? { rules, tls: [{ hosts: [host], secretName: name }] } : { rules },
  };
}
