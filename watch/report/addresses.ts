/**
 * Which addresses lead to rind: fixed ones, those of a Service, or those of the nodes that run a
 * ready rind pod. Nothing better to say is no reason to take back what was said: only the drain of
 * the last pod leaves no address at all.
 */
import type { Clock } from "../../core/clock.ts";
import type { Random } from "../../core/random.ts";
import type { Finding } from "../finding.ts";
import { Holdoff } from "../holdoff.ts";
import { isFields } from "../objects.ts";
import type { ApiClient } from "../source/api/api.ts";
import { readStatus } from "../source/api/status.ts";
import { Followed } from "./followed.ts";
import { Nodes } from "./nodes.ts";
import { type Pod, readPod, readyPods } from "./pods.ts";
import { type Target, targetsOf } from "./targets.ts";

/** A rolling update moves several pods at once. */
const HOLDOFF = { quietMs: 500, maxMs: 2_000 };
/** What k8s/ labels rind's pods with. */
const PODS = "app.kubernetes.io/name=rind";
const KEPT = "the status of Ingresses is left as it is";

/** What to publish. `address` is the type that it has on its Node. */
export type Publish =
  | Readonly<{ from: "fixed"; addresses: readonly string[] }>
  | Readonly<{ from: "service"; namespace: string; name: string }>
  | Readonly<{ from: "nodes"; address: "InternalIP" | "ExternalIP" }>;

export type AddressesConfig = Readonly<{
  clock: Clock;
  random: Random;
  api: ApiClient;
  publish: Publish;
  /** The pod that we are. */
  pod: Readonly<{ namespace: string; name: string }>;
  /** There is something new to hear of them. */
  changed: () => void;
}>;

/** `addresses` null: nothing to say, now. */
type Judgement = Readonly<{ addresses: readonly string[] | null; finding: Finding | null }>;
/** Where addresses come from. `leaving`: our own pod does not count any more. */
type Origin = Readonly<{
  judge: (leaving: boolean) => Judgement;
  problem: () => string;
  stop: () => void;
}>;

/** Follows them from when it is made until `stop`. */
export class Addresses {
  readonly #config: AddressesConfig;
  readonly #holdoff: Holdoff;
  readonly #origin: Origin;
  #leaving = false;
  #targets: readonly Target[] | null = null;
  #finding: Finding | null = null;

  constructor(config: AddressesConfig) {
    this.#config = config;
    this.#holdoff = new Holdoff(config.clock, HOLDOFF, () => this.#turn());
    this.#origin = originOf(config, () => this.#holdoff.touch());
    this.#holdoff.touch();
  }

  stop(): void {
    this.#origin.stop();
    this.#holdoff.cancel();
  }

  /** Our own pod does not count any more, from this moment. */
  leave(): void {
    this.#leaving = true;
    this.#turn();
  }

  /** null: not known, or never yet. */
  targets(): readonly Target[] | null {
    return this.#targets;
  }

  /** What is wrong with what is to be published, or null. */
  finding(): Finding | null {
    return this.#finding;
  }

  /** Why the cluster does not tell, or "". */
  problem(): string {
    return this.#origin.problem();
  }

  #turn(): void {
    const { addresses, finding } = this.#origin.judge(this.#leaving);
    this.#finding = finding;
    if (addresses !== null) this.#targets = targetsOf(addresses);
    this.#config.changed();
  }
}

function originOf(config: AddressesConfig, changed: () => void): Origin {
  const { publish } = config;
  if (publish.from === "service") return fromService(config, publish, changed);
  if (publish.from === "nodes") return fromNodes(config, publish.address, changed);
  const judgement = { addresses: publish.addresses, finding: null };
  return { judge: () => judgement, problem: () => "", stop: () => {} };
}

/** A balancer or a person gives the Service its addresses; pods come and go behind them. */
function fromService(
  config: AddressesConfig,
  { namespace, name }: Readonly<{ namespace: string; name: string }>,
  changed: () => void,
): Origin {
  const path = `/api/v1/namespaces/${namespace}/services`;
  const query = { fieldSelector: `metadata.name=${name}` };
  const feed = {
    name: `Service ${namespace}/${name}`,
    kind: "Service",
    path,
    query,
    optional: false,
  };
  const services = new Followed({ ...config, feed, read: serviceAddresses, changed });
  const about = { level: "warning", kind: "Service", namespace, name, effect: KEPT } as const;
  const missing = { reason: "is to be published and is not there", hint: "see --publish-service" };
  const bare = { reason: "has no address to publish", hint: "is there a load balancer for it" };
  const judge = (): Judgement => {
    const objects = services.objects();
    if (objects === null) return { addresses: null, finding: null };
    const addresses = objects.get(name);
    if (addresses === undefined) {
      return { addresses: null, finding: { ...about, field: "", ...missing } };
    }
    if (addresses.length > 0) return { addresses, finding: null };
    return { addresses: null, finding: { ...about, field: "status.loadBalancer", ...bare } };
  };
  return { judge, problem: () => services.problem(), stop: () => services.stop() };
}

function fromNodes(
  config: AddressesConfig,
  address: "InternalIP" | "ExternalIP",
  changed: () => void,
): Origin {
  const { clock, api, pod: own } = config;
  const path = `/api/v1/namespaces/${own.namespace}/pods`;
  const feed = {
    name: `Pod in ${own.namespace}`,
    kind: "Pod",
    path,
    query: { labelSelector: PODS },
  };
  const read = readPod;
  const pods = new Followed({ ...config, feed: { ...feed, optional: false }, read, changed });
  const nodes = address === "ExternalIP" ? new Nodes({ clock, api, changed }) : null;
  const judge = (leaving: boolean): Judgement => {
    const known = pods.objects();
    if (known === null) return { addresses: null, finding: null };
    const finding = leaving || known.has(own.name) ? null : strange(own);
    const ready = readyPods(known, own.name).filter((pod) => !leaving || pod.name !== own.name);
    // Whoever asks is a rind that runs: it is about to be ready, or nobody serves at all. Either
    // way, clients have nowhere better to go.
    if (ready.length === 0) return { addresses: leaving ? [] : null, finding };
    if (nodes === null) return { addresses: ready.flatMap((pod) => pod.addresses), finding };
    const judged = external(nodes, ready);
    return { ...judged, finding: finding ?? judged.finding };
  };
  const stop = () => {
    pods.stop();
    nodes?.stop();
  };
  return { judge, problem: () => pods.problem(), stop };
}

/** Without a word, the status would stay as it is and nobody would know why. */
function strange({ namespace, name }: AddressesConfig["pod"]): Finding {
  const of = { kind: "Pod", namespace, name, field: "metadata.labels" };
  const reason = `rind runs in it, and no pod of this name has the label ${PODS}`;
  const hint = "label the pods of rind so, or correct --pod";
  return { level: "warning", ...of, reason, hint, effect: "no status shows its node" };
}

/** A node without an external address that we know is published by its internal one. */
function external(nodes: Nodes, ready: readonly Pod[]): Judgement {
  nodes.want(new Set(ready.map(({ node }) => node).filter((node) => node !== "")));
  const addresses: string[] = [];
  let finding: Finding | null = null;
  for (const pod of ready) {
    const known = nodes.get(pod.node);
    if (known === null) return { addresses: null, finding };
    addresses.push(...(known.problem === "" ? known.addresses : pod.addresses));
    if (known.problem !== "") finding ??= unpublished(pod.node, known.problem);
  }
  return { addresses, finding };
}

function unpublished(node: string, reason: string): Finding {
  const of = { kind: "Node", namespace: "", name: node, field: "status.addresses" };
  const hint = "bind the ClusterRole rind-nodes, or use --node-address InternalIP";
  const effect = "the InternalIP of the node is published";
  return { level: "warning", ...of, reason, hint, effect };
}

/** What leads to a core/v1 Service from outside, as far as it says so itself. */
function serviceAddresses(raw: unknown): readonly string[] {
  const service = isFields(raw) ? raw : {};
  const balanced = readStatus(service).ingress.map(({ ip, hostname }) => ip ?? hostname ?? "");
  if (balanced.length > 0) return balanced;
  const spec = isFields(service["spec"]) ? service["spec"] : {};
  const external: readonly unknown[] = Array.isArray(spec["externalIPs"])
    ? spec["externalIPs"]
    : [];
  return external.filter((address) => typeof address === "string");
}
