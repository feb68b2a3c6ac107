/** Sites of a world with TLS: the certificate of NAME.example is in the Secret NAME-tls. */
import { X509Certificate } from "node:crypto";
import type { Given } from "../apiserver/objects.ts";
import type { KeyPair } from "../../core/model.ts";
import { until } from "../e2e/program.ts";
import { visit, type Visit } from "../handshake.ts";
import { openAuthority } from "../pki.ts";
import { ingressOf, type World } from "./world.ts";

/** Issues all certificates of the worlds of a test file. */
export const root = openAuthority();

/** The Ingress of a site, with TLS. */
export function securedOf(site: string): Given {
  const { spec, ...ingress } = ingressOf(site);
  const tls = [{ hosts: [`${site}.example`], secretName: `${site}-tls` }];
  return { ...ingress, spec: { ...(spec as object), tls } };
}

/** The Secret of a host's certificate. */
export function secretOf(host: string, { chain, key }: KeyPair): Given {
  const [site = ""] = host.split(".");
  return {
    apiVersion: "v1",
    kind: "Secret",
    type: "kubernetes.io/tls",
    metadata: { name: `${site}-tls`, namespace: "shop" },
    data: {
      "tls.crt": Buffer.from(chain).toString("base64"),
      "tls.key": Buffer.from(key).toString("base64"),
    },
  };
}

/** What a new connection meets; "" asks for no name. */
export async function look(world: World, host: string): Promise<Visit> {
  const { httpsPort: port } = world.rind;
  const visitor = await visit({ port, authority: root.certificate, name: host });
  await visitor.leave();
  return visitor;
}

/** Puts a pair into the Secret of a host, and waits until new connections get it. */
export async function rotate(world: World, host: string, pair: KeyPair): Promise<void> {
  world.api.put(secretOf(host, pair));
  await shows(world, host, pair);
}

/** Waits until new connections to a host, or without a name, get this pair. */
export async function shows(world: World, host: string, pair: KeyPair): Promise<void> {
  const { serialNumber } = new X509Certificate(pair.chain);
  await until(`${host} shows ${serialNumber}`, async () => {
    return (await look(world, host)).met?.certificate.serialNumber === serialNumber;
  });
}
