/** Ingress: the rules and the default backend of every Ingress that is ours become claims. */
import { type Action, NONE, type PathMatch, type Route } from "../../core/model.ts";
import type { KubeObject } from "../objects.ts";
import { readAnnotations } from "./annotations.ts";
import { asksBackend, remarkDoubt } from "./backendtls.ts";
import { adopted } from "./classes.ts";
import { isChallenge } from "./clientauth.ts";
import type { Asked } from "./dialects/dialect.ts";
import { type Claim, type Draft, REPAIRED, REST, RULE, ageOf } from "./draft.ts";
import { claimHandshakes, readHandshake } from "./handshake.ts";
import { ANY_HOST } from "./hosts.ts";
import { type Policies, policiesOf, unredirected } from "./https.ts";
import { type Field, whole } from "./read.ts";
import { type Spec, readSpec } from "./rules.ts";
import { noteSecrets } from "./secrets.ts";
import { selects } from "./selector.ts";
import { type Weights, divide } from "./shares.ts";
import { claimTls } from "./tls.ts";
import type { Target } from "./targets.ts";
import { type Member, podsOf, resolve } from "./members.ts";
import type { View } from "./view.ts";

const PATH_503 = "this path answers 503";
const SHARE_503 = "its share of this path answers 503";

/** Services that share a path: their weights have to be exact, which takes time for each pair. */
const MEMBERS_MAX = 100;

/** An Ingress has none; one object for all of them, as there are many. */
const NO_CONDITIONS = { methods: [], headers: [], cookies: [], queries: [] } as const;

/** Everything about the Ingress that is being translated. */
type Subject = Readonly<{
  view: View;
  draft: Draft;
  object: KubeObject;
  field: Field;
  asked: Readonly<Asked>;
  handshake: ReturnType<typeof readHandshake>;
  policies: Policies;
  /** Of routes that answer ACME challenges. */
  challenged: Policies;
}>;

/** A route in the making: where it is written, what it takes, and where that goes. */
type Plan = Readonly<{
  id: string;
  host: string;
  field: string;
  match: PathMatch;
  rank: Claim["rank"];
  targets: readonly Target[];
}>;

/** Translates one Ingress, if it is ours. */
export function translateIngress(view: View, draft: Draft, object: KubeObject): void {
  const field = whole(object, (finding) => draft.find(finding));
  if (!selected(view, draft, object)) return;
  if (!adopted(object, field, view.classes, draft.options)) return;
  draft.own(object);
  const secrets = noteSecrets({ view, draft, object, field });
  const read = readAnnotations(field, object.metadata.annotations);
  if (read.withheld) return;
  const handshake = readHandshake({ view, draft, object, field }, read);
  const asked = { ...read, blocked: read.blocked || (handshake.ask?.broken ?? "") };
  const policies = policiesOf(asked, draft.options);
  const challenged = unredirected(policies);
  claimAll({ view, draft, object, field, asked, handshake, policies, challenged }, secrets);
}

/** Whether its namespace is one of those to serve. One that is not known yet is not. */
function selected(view: View, draft: Draft, object: KubeObject): boolean {
  const { namespaceSelector } = draft.options;
  if (namespaceSelector === null) return true;
  const namespace = view.namespaces.get(object.metadata.namespace);
  return namespace !== undefined && selects(namespaceSelector, namespace.metadata.labels);
}

function claimAll(subject: Subject, secrets: ReadonlySet<string>): void {
  const { draft, object, field } = subject;
  const spec = readSpec(field, object.apiVersion);
  remarkSpec(subject, spec);
  const plans = [...group(spec, subject.asked), ...restOf(spec)];
  const hosts = new Map<string, Route[]>();
  plans.forEach((plan, order) => {
    const { host, rank } = plan;
    const route = routeOf(subject, plan);
    const { secured } = policiesFor(subject, plan);
    draft.claim({ host, route, secured, rank, age: ageOf(object, order) });
    const routes = hosts.get(host);
    if (routes === undefined) hosts.set(host, [route]);
    else routes.push(route);
  });
  claimTls({ ...subject, hosts: hostsOf(spec), secrets });
  claimHandshakes(subject, hosts);
}

/** Those of the rules; without rules a default backend is for any host. */
function hostsOf(spec: Spec): ReadonlySet<string> {
  const hosts = new Set(spec.rules.map((rule) => rule.host));
  if (spec.empty && spec.fallback !== null) hosts.add(ANY_HOST);
  return hosts;
}

/**
 * Rules and a default backend: it takes the rest of the hosts of this Ingress, as in ingress-nginx,
 * and never the hosts of others.
 */
function restOf(spec: Spec): readonly Plan[] {
  const { fallback } = spec;
  if (fallback === null) return [];
  const match: PathMatch = { kind: "prefix", value: "/" };
  return [...hostsOf(spec)].map((host) => {
    const id = `defaultBackend ${host}`;
    return { id, host, field: spec.fallbackField, match, rank: REST, targets: [fallback] };
  });
}

function policiesFor({ policies, challenged }: Subject, { match }: Plan): Policies {
  return isChallenge(match.value) ? challenged : policies;
}

function remarkSpec(subject: Subject, spec: Spec): void {
  const { field } = subject;
  if (spec.empty && spec.fallback === null) {
    const reason = "has neither rules nor a default backend";
    field.remark({ field: "spec", reason, effect: "nothing of this Ingress is served" });
  }
  for (const rule of spec.rules) {
    if (!rule.bare || spec.fallback !== null) continue;
    const reason = "has no paths, and the Ingress has no default backend";
    field.remark({ field: rule.field, reason, effect: "this rule is ignored" });
  }
}

/**
 * The routes of the rules. With service weights, a path that is written several times for one host
 * is one route with several targets; without them each is a route, and the draft decides.
 */
function group(spec: Spec, asked: Readonly<Asked>): Iterable<Plan> {
  const plans = new Map<string, Plan & { targets: Target[] }>();
  for (const { host, paths } of spec.rules) {
    for (const { id, field, match, repaired, target } of paths) {
      const rank = repaired ? REPAIRED : RULE;
      const key = asked.weights === null ? id : `${host} ${match.kind} ${match.value} ${rank}`;
      const known = plans.get(key);
      if (known !== undefined) known.targets.push(target);
      else plans.set(key, { id, host, field, match, rank, targets: [target] });
    }
  }
  return plans.values();
}

function routeOf(subject: Subject, plan: Plan): Route {
  const { kind } = subject.object;
  const { namespace, name } = subject.object.metadata;
  const id = idOf(subject, plan);
  return {
    id,
    origin: { kind, namespace, name, field: plan.field },
    match: { path: plan.match, ...NO_CONDITIONS },
    action: actionOf(subject, plan, id),
    policy: policiesFor(subject, plan).open,
  };
}

/** Stable as long as the object keeps its name and the path its place in it. */
function idOf(subject: Subject, plan: Plan): string {
  const { kind, metadata } = subject.object;
  return `${kind} ${metadata.namespace}/${metadata.name} ${plan.id}`;
}

function actionOf(subject: Subject, plan: Plan, id: string): Action {
  const { view, draft, object, asked } = subject;
  const { namespace } = object.metadata;
  const several = plan.targets.length > 1;
  // What goes through unopened has its own TLS with the backend, whatever else is asked.
  const over = asksBackend(asked.backend) && !asked.tls.passthrough ? asked.backend : null;
  const members = new Map<string, Member>();
  plan.targets.forEach((target, i) => {
    // The backend of a broken target is the route's own, and each of several is another one.
    const own = i === 0 ? id : `${id} ${i}`;
    const site = { id: own, namespace, effect: several ? SHARE_503 : PATH_503, over };
    const member = resolve(view, draft, target, site);
    remarkDoubt(subject.field, asked.backend, member.doubt);
    if (members.has(member.backend)) remarkTwice(subject, plan, member);
    members.set(member.backend, member);
  });
  const anyHost = plan.host === ANY_HOST ? subject.handshake.anyHost : "";
  const closed = asked.blocked === "" ? anyHost : asked.blocked;
  if (closed !== "") return refuse(draft, id, closed);
  if (members.size > MEMBERS_MAX) return crowded(subject, plan, id);
  // Weights are of paths that rules share; a default backend stands alone.
  const weights = plan.rank === REST ? null : asked.weights;
  const [only] = members.values();
  if (only === undefined) return refuse(draft, id, "it has no backend");
  const alone = weights === null || (weights.unreadable && members.size === 1);
  if (!alone) return divideAction(subject, plan, weights, [...members.values()]);
  return { kind: "forward", split: [{ backend: only.backend, weight: 1 }], cursor: NONE };
}

function divideAction(
  subject: Subject,
  plan: Plan,
  weights: Weights,
  members: readonly Member[],
): Action {
  const counted = members.map((member) => ({ ...member, pods: podsOf(subject.view, member) }));
  const shares = divide(counted, weights);
  if (shares.ok) return { kind: "forward", split: shares.value, cursor: NONE };
  const { reason, hint } = shares;
  // An annotation that cannot be read at all has been remarked once, on itself.
  if (!weights.unreadable) {
    subject.field.remark({ field: plan.field, reason, hint, effect: PATH_503 });
  }
  return refuse(subject.draft, idOf(subject, plan), reason);
}

function crowded({ draft, field }: Subject, plan: Plan, id: string): Action {
  const reason = `more than ${MEMBERS_MAX} services share path ${plan.match.value}`;
  field.remark({ field: plan.field, reason, effect: PATH_503 });
  return refuse(draft, id, reason);
}

/** Requests go to a backend that is never ready: they answer 503, and the reason is on record. */
function refuse(draft: Draft, id: string, reason: string): Action {
  draft.put({ id, endpoints: [], reason, balance: "leastRequest", tls: null });
  return { kind: "forward", split: [{ backend: id, weight: 1 }], cursor: NONE };
}

function remarkTwice(subject: Subject, plan: Plan, member: Member): void {
  // A backend that stands for a broken one is marked so in its id.
  const backend = member.backend.replace(/^\?/, "");
  const reason = `${backend} is listed twice on path ${plan.match.value}`;
  subject.field.remark({ level: "warning", field: plan.field, reason, effect: "it counts once" });
}
