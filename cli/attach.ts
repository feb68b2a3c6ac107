/** Attaching to a cluster: how its API server is reached, and what is followed there. */
import { isIP } from "node:net";
import { hostname, networkInterfaces } from "node:os";
import { systemClock } from "../core/clock.ts";
import { Random } from "../core/random.ts";
import { Report } from "../watch/report/report.ts";
import { readAccess } from "../watch/source/api/access.ts";
import { openClient } from "../watch/source/api/client.ts";
import { readAccount, SERVICE_ACCOUNT } from "../watch/source/api/pod.ts";
import { USUAL_ACCOUNT } from "../watch/resources.ts";
import { ApiSource } from "../watch/source/api/source.ts";
import type { Parsed } from "./address.ts";
import type { ClusterConfig, ReportConfig } from "./cluster.ts";
import type { Config } from "./config.ts";
import type { Address } from "../core/protocol.ts";
import type { Access, ApiClient } from "../watch/source/api/api.ts";
import type { Finding } from "../watch/finding.ts";
import type { KubeObject } from "../watch/objects.ts";
import type { Publish } from "../watch/report/addresses.ts";
import type { AddressRules } from "../watch/translate/forbidden.ts";

const HTTPS_PORT = 443;
const HTTP_PORT = 80;
/** The lease that decides who reports, in the namespace of the pod. */
const LEASE = "rind";
const SEED_BOUND = 2 ** 31;

/** An API server that is about to be followed. */
export type Attached = Readonly<{
  access: Access;
  client: ApiClient;
  source: ApiSource;
  /** Where endpoints must not be. */
  addresses: AddressRules;
  /** Who rind is to the API server, `namespace:name`, as far as that can be seen. */
  account: string;
}>;

/** Reads how the API server is reached; connects to nothing yet. */
export async function attach(config: Config, cluster: ClusterConfig): Promise<Parsed<Attached>> {
  const found = await readAccess({
    kubeconfig: cluster.kubeconfig,
    context: cluster.context,
    host: process.env["KUBERNETES_SERVICE_HOST"] ?? "",
    port: process.env["KUBERNETES_SERVICE_PORT"] ?? "",
    account: SERVICE_ACCOUNT,
  });
  if (!found.ok) return found;
  const { access } = found;
  const client = openClient(access, systemClock);
  const terms = { client, clock: systemClock, random: chance(), stream: true };
  const source = new ApiSource(terms, {
    namespaces: cluster.namespaces,
    namespaceObjects: config.adoption.namespaceSelector !== null,
    secrets: cluster.secrets,
  });
  const addresses = {
    allowed: config.ranges,
    admin: placesOf(config.admin),
    apiServer: placeOf(access.server),
  };
  // Files only: a plugin of a kubeconfig may take its time.
  const account = cluster.kubeconfig === null ? readAccount(SERVICE_ACCOUNT) : "";
  const value = { access, client, source, addresses, account: account || USUAL_ACCOUNT };
  return { ok: true, value };
}

/** What the loop knows of an object, for Events about it. */
export type Known = (kind: string, namespace: string, name: string) => KubeObject | undefined;

/**
 * Who writes status and Events; null when nothing is to be written. `tell` hears what is wrong with
 * that itself, each time all of it.
 */
export function openReport(
  { access, client, source }: Attached,
  cluster: ClusterConfig,
  to: Readonly<{ known: Known; tell: (findings: readonly Finding[]) => void }>,
): Report | null {
  const { report } = cluster;
  if (report === null) return null;
  const pod = cluster.pod ?? { namespace: access.namespace, name: hostname() };
  const made = new Report({
    clock: systemClock,
    random: chance(),
    api: client,
    today: () => new Date().toISOString(),
    pod,
    lease: report.lease ?? { namespace: pod.namespace, name: LEASE },
    publish: publishOf(report),
    statuses: source.statuses,
    lookup: (kind, namespace, name) => {
      const object = to.known(kind, namespace, name);
      return object === undefined
        ? null
        : { uid: object.metadata.uid, apiVersion: object.apiVersion };
    },
    tell: to.tell,
  });
  source.onStatus((key) => made.statusMoved(key));
  return made;
}

function publishOf({ addresses, service, nodeAddress }: ReportConfig): Publish {
  if (addresses.length > 0) return { from: "fixed", addresses };
  if (service !== null) return { from: "service", ...service };
  return { from: "nodes", address: nodeAddress };
}

/** A generator that nobody can foresee: rinds that wait must not wait alike. */
export function chance(): Random {
  return new Random(1 + Math.floor(Math.random() * SEED_BOUND));
}

/** Every address under which the admin API of this rind answers. */
function placesOf({ host, port }: Address): AddressRules["admin"] {
  if (host !== "0.0.0.0" && host !== "::") return [{ address: host, port }];
  const own = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
  return own.map(({ address }) => ({ address, port }));
}

/** The API server, where its URL has an address and not a name. */
function placeOf(server: string): AddressRules["apiServer"] {
  const url = new URL(server);
  const address = url.hostname.replace(/^\[|\]$/g, "");
  const usual = url.protocol === "https:" ? HTTPS_PORT : HTTP_PORT;
  return isIP(address) === 0 ? [] : [{ address, port: Number(url.port) || usual }];
}
