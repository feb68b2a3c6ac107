/** How an Ingress treats plain HTTP: redirects to HTTPS, and HSTS so that clients stay there. */
import { DEFAULT_POLICY, type RoutePolicy } from "../../core/model.ts";
import { type Asked, type AskedTls } from "./dialects/dialect.ts";
import { formatHsts } from "./dialects/values.ts";
import type { TranslateOptions } from "./draft.ts";

/** Of a route: `open` where its host has no TLS, `secured` where it has. */
export type Policies = Readonly<{ open: RoutePolicy; secured: RoutePolicy }>;

/**
 * The policies of the routes of one Ingress. Redirects are ingress-nginx's: forced ones are on all
 * hosts, others on hosts with TLS. HSTS is for hosts with TLS only: a client that keeps to it could
 * not come back to another.
 */
export function policiesOf({ tls }: Readonly<Asked>, options: TranslateOptions): Policies {
  const { force } = tls;
  const redirect = force || (tls.redirect ?? options.sslRedirect);
  return {
    open: policy(force, ""),
    secured: policy(redirect, tls.hsts ?? pieced(tls) ?? options.hsts),
  };
}

/** The same for routes of ACME challenges, which come over plain HTTP (RFC 8555 §8.3). */
export function unredirected({ open, secured }: Policies): Policies {
  return { open: policy(false, open.hsts), secured: policy(false, secured.hsts) };
}

/** In Traefik a max-age of 0 is no header; null: nobody asked. */
function pieced({ pieces }: AskedTls): string | null {
  const { seconds, subdomains, preload } = pieces;
  if (seconds === null) return null;
  return seconds === 0 ? "" : formatHsts(seconds, subdomains, preload);
}

function policy(redirect: boolean, hsts: string): RoutePolicy {
  return redirect || hsts !== "" ? { ...DEFAULT_POLICY, redirect, hsts } : DEFAULT_POLICY;
}
