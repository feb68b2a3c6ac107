/**
 * What rind serves while it is measured: one origin behind a host in clear and two over TLS, and
 * the same one over TLS behind another.
 */
import type { KeyPair } from "../../core/model.ts";
import { HOSTS } from "./rows.ts";

type Pairs = Readonly<Record<"secure" | "rsa", KeyPair>>;

/** Where the origin is, in clear and over TLS, and who vouches for it. */
type Origin = Readonly<{ originPort: number; secureOriginPort: number; authority: string }>;

/** All manifests as one JSON text. */
export function manifestsOf(origin: Origin, pairs: Pairs): string {
  const { originPort, secureOriginPort, authority } = origin;
  const trust = { "ca.crt": btoa(authority) };
  const items = [
    ...serviceOf("origin", originPort),
    ...serviceOf("secure-origin", secureOriginPort),
    ingressOf("plain", HOSTS.plain, false),
    overTls(ingressOf("backend", HOSTS.backend, false, "secure-origin")),
    { apiVersion: "v1", kind: "Secret", metadata: { name: "trust" }, data: trust },
    ingressOf("secure", HOSTS.secure, true),
    ingressOf("rsa", HOSTS.rsa, true),
    secretOf("secure", pairs.secure),
    secretOf("rsa", pairs.rsa),
  ];
  return JSON.stringify({ apiVersion: "v1", kind: "List", items });
}

/** A Service with one endpoint on this machine. */
function serviceOf(name: string, port: number) {
  const service = { apiVersion: "v1", kind: "Service", metadata: { name } };
  const slice = {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { name: `${name}-1`, labels: { "kubernetes.io/service-name": name } },
    addressType: "IPv4",
    ports: [{ port }],
    endpoints: [{ addresses: ["127.0.0.1"], conditions: { ready: true } }],
  };
  return [{ ...service, spec: { ports: [{ port: 80, targetPort: port }] } }, slice];
}

/** The Ingress, with an origin that is verified. */
function overTls(ingress: ReturnType<typeof ingressOf>) {
  const prefix = "nginx.ingress.kubernetes.io/";
  const annotations = {
    [`${prefix}backend-protocol`]: "HTTPS",
    [`${prefix}proxy-ssl-secret`]: "trust",
    [`${prefix}proxy-ssl-name`]: HOSTS.backend,
  };
  return { ...ingress, metadata: { ...ingress.metadata, annotations } };
}

/** A Secret of type kubernetes.io/tls. */
export function secretOf(name: string, { chain, key }: KeyPair) {
  const data = { "tls.crt": btoa(chain), "tls.key": btoa(key) };
  return { apiVersion: "v1", kind: "Secret", type: "kubernetes.io/tls", metadata: { name }, data };
}

/** An Ingress for all of a host; with TLS, by the Secret of the same name. */
export function ingressOf(name: string, host: string, secure: boolean, origin = "origin") {
  const backend = { service: { name: origin, port: { number: 80 } } };
  const rules = [{ host, http: { paths: [{ path: "/", pathType: "Prefix", backend }] } }];
  return {
    apiVersion: "networking.k8s.io/v1",
    kind: "Ingress",
    metadata: { name },
    spec: secure ? { rules, tls: [{ hosts: [host], secretName: name }] } : { rules },
  };
}
