/** Who gets a path that several claims are on: decided for one host at a time. */
import type { Action, Route } from "../../core/model.ts";
import { isChallenge } from "./clientauth.ts";
import { type Claim, FINDINGS_MAX, REPAIRED, REST, compareAges, note, surplusOf } from "./draft.ts";
import { ANY_HOST } from "./hosts.ts";
import type { Findings } from "./roster.ts";
import type { HostTls } from "./secured.ts";
import type { Finding } from "../finding.ts";

/**
 * Routes of one host. With each change of one of them all are told to the workers, which serve
 * nobody while they compile them: some 20 ms for so many.
 */
const ROUTES_MAX = 5_000;
/**
 * Characters of the paths of one host, all together. Long paths that begin alike are what takes
 * longest to compile: 5 000 of 5 000 each two thirds of a second, what fits in here some 50 ms.
 */
const LENGTH_MAX = 1_048_576;

const REFUSED: Action = { kind: "respond", status: 503, body: "" };

/**
 * The routes of one host, first come first: the winner of a path is routed, a loser gets a finding
 * that names the winner. The order of the claims does not matter. What was decided about the
 * handshakes of the host holds for its routes.
 */
export function settle(
  claims: readonly Claim[],
  tls: HostTls,
): Readonly<{ routes: readonly Route[]; findings: Findings }> {
  const findings = new Map<string, Finding>();
  /** How often each object lost: one can lose ten thousand paths. */
  const losses = new Map<string, number>();
  const taken = { exact: new Map<string, Claim>(), prefix: new Map<string, Claim>() };
  const routes: Route[] = [];
  let length = 0;
  for (const claim of claims.toSorted(precede)) {
    const { kind, value } = claim.route.match.path;
    const winner = taken[kind].get(value);
    const full = routes.length === ROUTES_MAX || length + value.length > LENGTH_MAX;
    if (winner !== undefined || full) {
      const lost = losses.get(claim.age.owner) ?? 0;
      const finding =
        lost > FINDINGS_MAX
          ? null
          : winner === undefined
            ? fullFor(claim, routes.length)
            : refusalOf(claim, winner);
      if (finding === null) continue;
      losses.set(claim.age.owner, lost + 1);
      note(findings, lost < FINDINGS_MAX ? finding : surplusOf(finding));
      continue;
    }
    taken[kind].set(value, claim);
    routes.push(routeOf(claim, tls));
    length += value.length;
  }
  return { routes, findings };
}

/** A route of somebody who is refused keeps its path, and hides no other one. */
function routeOf({ route, secured, age }: Claim, tls: HostTls): Route {
  const policy = tls.secured(route.origin.namespace) ? secured : route.policy;
  const refused = tls.closed || tls.refused.has(age.owner);
  // Somebody outside waits for the answer to a challenge, with which the host begins.
  const served = isChallenge(route.match.path.value) || saysWhy(route);
  const action = refused && !served ? REFUSED : route.action;
  const same = policy === route.policy && action === route.action;
  return same ? route : { ...route, action, policy };
}

/** Whether it goes to a backend of its own, which stands for what is wrong: that says more. */
function saysWhy({ id, action }: Route): boolean {
  return action.kind === "forward" && action.split.length === 1 && action.split[0]!.backend === id;
}

/** There is no room left for it beside so many others. */
function fullFor({ host, route }: Claim, others: number): Finding {
  const { kind, namespace, name, field } = route.origin;
  return {
    level: "error",
    kind,
    namespace,
    name,
    field,
    reason:
      others === ROUTES_MAX
        ? `${hostName(host)} has more than ${ROUTES_MAX} paths`
        : `the paths of ${hostName(host)} have more than ${LENGTH_MAX} characters together`,
    hint: "use fewer paths that take more each, or several hosts",
    effect: "this path is ignored",
  };
}

function hostName(host: string): string {
  return host === ANY_HOST ? "any host" : host;
}

/** What is to be said to the loser, if anything. */
function refusalOf(loser: Claim, winner: Claim): Finding | null {
  const same = loser.age.owner === winner.age.owner;
  // A rule for / beside a default backend of the same Ingress says what it means, and the path
  // that was repaired has its finding.
  if (loser.rank === REPAIRED || (same && loser.rank > winner.rank)) return null;
  const { path } = loser.route.match;
  const host = hostName(loser.host);
  const place = `${path.kind === "exact" ? "Exact " : ""}${path.value} of ${host}`;
  const { kind, namespace, name, field } = loser.route.origin;
  return {
    level: "error",
    kind,
    namespace,
    name,
    field,
    reason: `${place} is already served by ${winnerOf(loser, winner)}`,
    hint: same ? "to split requests between services, add service-weights" : "",
    effect: loser.rank === REST ? "the default backend is not used here" : "this path is ignored",
  };
}

/** Who has the path, and why. */
function winnerOf(loser: Claim, winner: Claim): string {
  const { kind, namespace, name, field } = winner.route.origin;
  const same = loser.age.owner === winner.age.owner;
  const named = same ? field : `${kind} ${namespace}/${name} ${field}`;
  if (loser.rank !== winner.rank) return `${named}, and a rule comes before a default backend`;
  if (same) return named;
  const older = winner.age.createdMs < loser.age.createdMs;
  return `${named}, which ${older ? "is older" : "comes first by name"}`;
}

function precede(a: Claim, b: Claim): number {
  return a.rank - b.rank || compareAges(a.age, b.age);
}
