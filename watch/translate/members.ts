/** From the target of a path to a member of it: a backend, real or standing for a broken one. */
import type { Doubt } from "./backendtls.ts";
import type { AskedBackend } from "./dialects/dialect.ts";
import type { Draft } from "./draft.ts";
import type { Target } from "./targets.ts";
import type { View } from "./view.ts";

/** A backend that cannot be found counts as one pod: it keeps a share, which is answered 503. */
const PODS_UNKNOWN = 1;

/** As ports are called; whatever else is written is quoted, so that no two read the same. */
const PORT_NAME = /^[a-z][a-z0-9-]*$/;

/** Longest id of a backend: namespace, name and port of the longest names. */
const ID_MAX = 600;

/**
 * Who asks: the id of the route, its namespace, what a broken target means for it, and what is
 * asked of the way to the backend.
 */
export type Site = Readonly<{
  id: string;
  namespace: string;
  effect: string;
  over: Readonly<AskedBackend> | null;
}>;

/** `whole` is false for a backend that stands for something broken. */
export type Member = Readonly<{ service: string; backend: string; whole: boolean; doubt: Doubt }>;

/**
 * The member that a target makes. One that leads nowhere is remarked, and becomes a backend
 * without endpoints that names the reason.
 */
export function resolve(view: View, draft: Draft, target: Target, site: Site): Member {
  if (target.kind === "broken") {
    draft.put({
      id: site.id,
      endpoints: [],
      reason: target.reason,
      balance: "leastRequest",
      tls: null,
    });
    return { service: "", backend: site.id, whole: false, doubt: null };
  }
  const { name: service, port } = target;
  const key = `${site.namespace}/${service}`;
  const aim = view.aim(key, port, site.over);
  if (aim.ok) return { service, backend: aim.backend, whole: true, doubt: aim.doubt };
  const { reason, hint } = aim;
  const where = aim.at === "name" ? target.nameAt : target.portAt;
  where.remark({ field: where.path, reason, hint, effect: site.effect });
  // No id of a real backend starts like this: a broken path never shares one with a whole path.
  // A port named "80" is not port 80, and may be broken in another way.
  const plain = typeof port === "number" || PORT_NAME.test(port);
  const label = plain ? port : JSON.stringify(port);
  const name = `?${key}:${label}`;
  const backend = name.length > ID_MAX ? site.id : name;
  draft.put({ id: backend, endpoints: [], reason, balance: "leastRequest", tls: null });
  return { service, backend, whole: false, doubt: null };
}

/** How many pods a member counts for. Only weights ask, so that others need not follow pods. */
export function podsOf(view: View, member: Member): number {
  return member.whole ? view.pods(member.backend) : PODS_UNKNOWN;
}
