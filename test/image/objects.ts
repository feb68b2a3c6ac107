/** Objects of a cluster that has something to serve. */
import type { Given } from "../apiserver/objects.ts";

/** A class of rind's controller. */
export function classOf(name: string): Given {
  return {
    apiVersion: "networking.k8s.io/v1",
    kind: "IngressClass",
    metadata: { name },
    spec: { controller: "rind.dev/ingress-controller" },
  };
}

/** Sends `NAME.example` to a Service of that name, which is not there. */
export function ingressOf(name: string): Given {
  const backend = { service: { name, port: { number: 80 } } };
  const paths = [{ path: "/", pathType: "Prefix", backend }];
  return {
    apiVersion: "networking.k8s.io/v1",
    kind: "Ingress",
    metadata: { name, namespace: "default" },
    spec: { ingressClassName: "rind", rules: [{ host: `${name}.example`, http: { paths } }] },
  };
}
