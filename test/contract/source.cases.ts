/** rind's own source on a server: the same edits must be the same news, whatever server it is. */
import * as assert from "uvu/assert";
import { systemClock, type Clock } from "../../core/clock.ts";
import { Random } from "../../core/random.ts";
import type { Finding } from "../../watch/finding.ts";
import { readAccess } from "../../watch/source/api/access.ts";
import { openClient as openApi } from "../../watch/source/api/client.ts";
import { ApiSource } from "../../watch/source/api/source.ts";
import type { SourceEvent } from "../../watch/source/source.ts";
import { Store } from "../../watch/store.ts";
import { until } from "../e2e/program.ts";
import { ask, create, ingress, ingresses, MERGE, secret, secrets } from "./target.cases.ts";
import { service, services, slice, slices, type Target } from "./target.cases.ts";

/** A target that a ServiceAccount of its own may follow, in its namespace. */
export type Followed = Target &
  Readonly<{
    /** A file: how that account reaches the server. */
    kubeconfig: string;
    /** It may list and watch these resources and no others. */
    permit: (resources: readonly string[]) => Promise<void>;
  }>;

/** Waiting that takes a tenth of its time. */
const hasty: Clock = { ...systemClock, after: (ms, call) => systemClock.after(ms / 10, call) };

/** What translate would see of a source: changes only, as `put Kind name` and `gone Kind name`. */
class Follower {
  readonly source: ApiSource;
  readonly store = new Store();
  readonly news: string[] = [];
  /** Secrets that the server said are not there. */
  readonly absent = new Set<string>();
  findings: readonly Finding[] = [];
  synced = false;

  constructor(source: ApiSource) {
    this.source = source;
    source.watch((event) => this.#take(event));
  }

  #take(event: SourceEvent): void {
    if (event.type === "synced") this.synced = true;
    else if (event.type === "findings") this.findings = event.findings;
    else if (event.type === "absent" && event.known) this.absent.add(event.key);
    else if (this.store.apply(event) && (event.type === "put" || event.type === "gone")) {
      this.news.push(`${event.type} ${event.object.kind} ${event.object.metadata.name}`);
    }
  }
}

/** Follows the namespace of a target for `body`, and stops whatever happens. */
async function following(
  target: Followed,
  stream: boolean,
  body: (follower: Follower) => Promise<void>,
): Promise<void> {
  const follower = await follow(target, stream);
  try {
    await body(follower);
  } finally {
    follower.source.stop();
  }
}

async function follow(target: Followed, stream: boolean): Promise<Follower> {
  const where = { kubeconfig: target.kubeconfig, context: null, host: "", port: "", account: "" };
  const read = await readAccess(where);
  assert.ok(read.ok, JSON.stringify(read));
  const client = openApi(read.access, hasty);
  const terms = { clock: hasty, random: new Random(1), client, stream };
  const scope = { namespaces: [target.namespace], namespaceObjects: false, secrets: "named" };
  return new Follower(new ApiSource(terms, scope as ConstructorParameters<typeof ApiSource>[1]));
}

const ALL = ["ingresses", "services", "endpointslices", "secrets"];

/** Makes, changes and deletes objects, each once the change before has been told. */
async function edit(target: Followed, follower: Follower): Promise<void> {
  const { admin, namespace } = target;
  const path = ingresses(namespace);
  const told = (count: number) =>
    until(`${count} changes are told`, () => follower.news.length >= count);
  const patch = async (at: string, body: unknown): Promise<void> => {
    await ask(admin, "PATCH", at, { body, type: MERGE });
  };
  const from = follower.news.length;
  await create(admin, path, ingress("b"));
  await told(from + 1);
  // A status is no change, though the object has a new version.
  await patch(`${path}/b/status`, { status: { loadBalancer: { ingress: [{ ip: "192.0.2.1" }] } } });
  await until("the status is told", () => {
    return follower.source.statuses.get(`${namespace}/b`)?.ingress[0]?.ip === "192.0.2.1";
  });
  await patch(`${path}/b`, { metadata: { annotations: { x: "1" } } });
  await told(from + 2);
  await create(admin, services(namespace), service("b"));
  await told(from + 3);
  await create(admin, slices(namespace), slice("b", "198.18.0.1"));
  await told(from + 4);
  await patch(`${slices(namespace)}/b`, { endpoints: null });
  await told(from + 5);
  await ask(admin, "DELETE", `${path}/b`);
  await told(from + 6);
}

const EDITS = [
  "put Ingress b",
  "put Ingress b",
  "put Service b",
  "put EndpointSlice b",
  "put EndpointSlice b",
  "gone Ingress b",
];

type SourceCase = Readonly<{ name: string; run: (target: Followed) => Promise<void> }>;
type Run = (target: Followed, stream: boolean) => Promise<void>;

const edited: Run = async (target, stream) => {
  await target.permit(ALL);
  await create(target.admin, ingresses(target.namespace), ingress("a"));
  await following(target, stream, async (follower) => {
    await until("it is synced", () => follower.synced);
    assert.equal([...follower.store.objects("Ingress").keys()], [`${target.namespace}/a`]);
    const before = follower.news.length;
    await edit(target, follower);
    assert.equal(follower.news.slice(before), EDITS);
  });
};

const wanted: Run = async (target, stream) => {
  await target.permit(ALL);
  const { admin, namespace } = target;
  const path = secrets(namespace);
  await create(admin, path, secret("theirs", "1"));
  await following(target, stream, async (follower) => {
    await until("it is synced", () => follower.synced);
    const key = `${namespace}/ours`;
    follower.source.want({ secrets: new Set([key]), names: new Set() });
    await until("it knows that there is none", () => follower.absent.has(key));
    await create(admin, path, secret("ours", "1"));
    await until("it has it", () => follower.store.objects("Secret").size === 1);
    await ask(admin, "DELETE", `${path}/ours`);
    await until("it is gone", () => follower.store.objects("Secret").size === 0);
    const news = follower.news.filter((each) => each.includes("Secret"));
    assert.equal(news, ["put Secret ours", "gone Secret ours"]);
  });
};

const denied: Run = async (target, stream) => {
  const { namespace } = target;
  await target.permit(ALL.filter((each) => each !== "services"));
  await create(target.admin, services(namespace), service("a"));
  await following(target, stream, async (follower) => {
    const said = (): boolean =>
      follower.findings.some(({ reason }) => reason.includes('resource "services"'));
    await until("it says what it may not", said);
    assert.not(follower.synced);
    await target.permit(ALL);
    await until("it is synced", () => follower.synced);
    const keys = [...follower.store.objects("Service").keys()];
    assert.equal(keys, [`${namespace}/a`]);
    await until("nothing of it is left to say", () => !said());
  });
};

const RUNS: readonly (readonly [string, Run])[] = [
  ["what is there comes before synced, edits come after it in order", edited],
  ["of Secrets it hears of those it wants, also before they are there", wanted],
  ["what it may not read it names, and reads once it may", denied],
];

export const FOLLOWING: readonly SourceCase[] = [true, false].flatMap((stream) =>
  RUNS.map(([name, run]) => ({
    name: `${stream ? "streamed" : "paged"}: ${name}`,
    run: (target) => run(target, stream),
  })),
);
