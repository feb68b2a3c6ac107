/**
 * Traefik's annotations on an Ingress: those of 1.7, under both of its prefixes, and the `router.…`
 * ones of 2 and 3. A rate limit is a guard: nothing tells one that spares capacity from one that
 * keeps passwords from being guessed.
 */
import { type Asked, type Dialect, type Row, gate, guard, lock, pending, wish } from "./dialect.ts";
import { type Parsed, quote } from "../read.ts";
import { PROTOCOL } from "./backend.ts";
import { SERVICE_WEIGHTS } from "./rind.ts";
import { letsAllIn, parseFlag, parseSeconds } from "./values.ts";

/** Listeners by their usual names in 1.7 and since, and whether they are for HTTPS. */
const ENTRY_POINTS: ReadonlyMap<string, boolean> = new Map([
  ["http", false],
  ["https", true],
  ["web", false],
  ["websecure", true],
]);

/**
 * Who lists none but those for HTTPS is not served in clear. The other way round rind does not
 * know: what is for everybody over HTTP is no secret over HTTPS.
 */
const LISTENERS: Row = lock("Listeners that may serve this Ingress.", parseListeners, onListeners);

/** Whether all that are listed are for HTTPS. */
function parseListeners(raw: string): Parsed<boolean> {
  const names = raw.split(",").map((name) => name.trim());
  const known = names.map((name) => ENTRY_POINTS.get(name));
  const stranger = names[known.indexOf(undefined)];
  if (stranger !== undefined) {
    const usual = [...ENTRY_POINTS.keys()].join(", ");
    return { ok: false, reason: `expected listeners called ${usual}, found ${quote(stranger)}` };
  }
  return { ok: true, value: !known.includes(false) };
}

function onListeners({ tls }: Asked, secured: boolean): void {
  if (!secured) return;
  tls.secured = true;
  tls.force = true;
}

/** Traefik never asks whether the host has TLS. */
const SSL_REDIRECT: Row = wish("Redirects to HTTPS.", parseFlag, (asked, redirect) => {
  asked.tls.redirect = redirect;
  if (redirect) asked.tls.force = true;
});

const HSTS_MAX_AGE: Row = wish("HSTS, seconds.", parseSeconds, (asked, seconds) => {
  asked.tls.pieces.seconds = seconds;
});

const HSTS_SUBDOMAINS: Row = wish("HSTS for subdomains.", parseFlag, (asked, subdomains) => {
  asked.tls.pieces.subdomains = subdomains;
});

const HSTS_PRELOAD: Row = wish("HSTS preload flag.", parseFlag, (asked, preload) => {
  asked.tls.pieces.preload = preload;
});

const ROUTER_TLS: Row = wish("Serves this Ingress over TLS.", parseFlag, (asked, secured) => {
  asked.tls.secured = secured;
});

const ROWS: readonly (readonly [string, Row])[] = [
  ["service-weights", SERVICE_WEIGHTS],
  ["rule-type", pending("How paths match, and whether the prefix is stripped.", "PathPrefix")],
  ["request-modifier", pending("Rewrites the path of the request.")],
  ["rewrite-target", pending("Replaces the matched path prefix.")],
  ["app-root", pending("Redirects / to another path.")],
  ["priority", pending("Order of this rule among all rules.")],
  ["protocol", PROTOCOL],
  ["preserve-host", pending("Whether the backend sees the client's Host.", "true")],
  ["rate-limit", guard("Requests a client may send.")],
  ["error-pages", pending("Error pages from another service.")],
  ["redirect-entry-point", pending("Redirects to another entry point.")],
  ["redirect-regex", pending("Redirects what matches a pattern.")],
  ["redirect-replacement", pending("Where redirect-regex redirects to.")],
  ["redirect-permanent", pending("Whether redirects are permanent.", "false")],
  ["frontend-entry-points", LISTENERS],
  ["custom-request-headers", pending("Headers added to requests.")],
  ["custom-response-headers", pending("Headers added to responses.")],
  ["allowed-hosts", guard("Host names that are let in.")],
  ["proxy-headers", pending("Headers that may carry the host name.")],
  ["ssl-redirect", SSL_REDIRECT],
  ["ssl-temporary-redirect", pending("Redirects to HTTPS with 302.", "false")],
  ["ssl-host", pending("Host name of the redirect to HTTPS.")],
  ["ssl-force-host", pending("Redirects to ssl-host always.", "false")],
  ["ssl-proxy-headers", pending("Headers that tell of HTTPS.")],
  ["hsts-max-age", HSTS_MAX_AGE],
  ["hsts-include-subdomains", HSTS_SUBDOMAINS],
  ["hsts-preload", HSTS_PRELOAD],
  ["force-hsts", pending("HSTS over plain HTTP, where clients ignore it.", "false")],
  ["frame-deny", pending("X-Frame-Options: DENY.", "false")],
  ["custom-frame-options-value", pending("X-Frame-Options.")],
  ["content-type-nosniff", pending("X-Content-Type-Options: nosniff.", "false")],
  ["browser-xss-filter", pending("X-XSS-Protection.", "false")],
  ["custom-browser-xss-value", pending("X-XSS-Protection, custom.")],
  ["content-security-policy", pending("Content-Security-Policy.")],
  ["public-key", pending("Public-Key-Pins.")],
  ["referrer-policy", pending("Referrer-Policy.")],
  ["is-development", pending("Switches the header rules off.", "false")],
  ["pass-tls-cert", pending("Passes the client's certificate on.", "false")],
  ["pass-client-tls-cert", pending("Passes parts of the client's certificate on.")],
  ["auth-type", guard("Authentication of requests.")],
  ["auth-secret", guard("Users and passwords.")],
  ["auth-realm", guard("Realm of the authentication.")],
  ["auth-remove-header", guard("Removes the Authorization header.", "false")],
  ["auth-header-field", guard("Header that carries the user's name.")],
  ["auth-url", guard("External authentication.")],
  ["auth-trust-headers", guard("Trusts forwarded headers in authentication.", "false")],
  ["auth-response-headers", guard("Headers taken from the authentication.")],
  ["auth-tls-secret", guard("Certificate for the authentication server.")],
  ["auth-tls-insecure", guard("Skips checking the authentication server.", "false")],
  ["whitelist-source-range", gate("Client addresses that are let in.", letsAllIn)],
  ["whitelist-x-forwarded-for", guard("Judges clients by X-Forwarded-For.", "false")],
  ["router.entrypoints", LISTENERS],
  ["router.middlewares", guard("Middlewares, which may authenticate or filter.")],
  ["router.priority", pending("Order of this rule among all rules.")],
  ["router.pathmatcher", pending("How paths match.", "PathPrefix")],
  ["router.rulesyntax", pending("Version of the rule language.")],
  ["router.tls", ROUTER_TLS],
  ["router.tls.certresolver", pending("Where the certificate comes from.")],
  ["router.tls.domains.N.main", pending("Name on the certificate.")],
  ["router.tls.domains.N.sans", pending("More names on the certificate.")],
  ["router.tls.options", guard("TLS options, which may ask for client certificates.")],
  ["router.observability.accesslogs", pending("Access log of this router.", "true")],
  ["router.observability.metrics", pending("Metrics of this router.", "true")],
  ["router.observability.tracing", pending("Tracing of this router.", "true")],
];

export const TRAEFIK: Dialect = {
  prefixes: ["traefik.ingress.kubernetes.io/", "ingress.kubernetes.io/"],
  rows: new Map(ROWS),
  alike: ["auth-", "whitelist-", "allowlist-", "denylist-", "ssl-client"],
};
