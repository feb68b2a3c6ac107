/**
 * ingress-nginx's annotations (docs/user-guide/nginx-configuration/annotations-risk.md). Guards are
 * those whose absence would let in more, or send more in clear, than the author asked for; limits
 * of requests and connections are among them, since they also keep passwords from being guessed.
 */
import { type Dialect, type Row, gate, guard, pending, wish, withheld } from "./dialect.ts";
import { NGINX_BACKEND } from "./backend.ts";
import { CLIENT_CA, CLIENT_DEPTH, CLIENT_FORWARD, PASSTHROUGH, clientVerify } from "./tls.ts";
import { letsAllIn, parseCiphers, parseFlag } from "./values.ts";

const SSL_REDIRECT: Row = wish(
  "Redirects to HTTPS where the host has TLS.",
  parseFlag,
  (asked, redirect) => {
    asked.tls.redirect = redirect;
  },
);

const FORCE_SSL_REDIRECT: Row = wish(
  "Redirects to HTTPS without a TLS section.",
  parseFlag,
  (asked, force) => {
    asked.tls.force = force;
  },
);

const VERIFY_CLIENT: Row = clientVerify(
  new Map([
    ["on", "required"],
    ["off", "off"],
    ["optional", "optional"],
    ["optional_no_ca", "unchecked"],
  ]),
);

/** One that only nginx can read is ignored: what is spoken otherwise is no weaker. */
const SSL_CIPHERS: Row = wish("Ciphers of TLS 1.2.", parseCiphers, (asked, ciphers) => {
  asked.tls.ciphers = ciphers;
});

const ROWS: readonly (readonly [string, Row])[] = [
  // --- access ---
  ["whitelist-source-range", gate("Client addresses that are let in.", letsAllIn)],
  ["allowlist-source-range", gate("Client addresses that are let in.", letsAllIn)],
  ["denylist-source-range", guard("Client addresses that are kept out.")],
  ["auth-url", guard("External authentication.")],
  ["auth-signin", guard("Where clients are sent to sign in.")],
  ["auth-signin-redirect-param", guard("Parameter with the page to come back to.")],
  ["auth-response-headers", guard("Headers taken from the authentication.")],
  ["auth-request-redirect", guard("Page to come back to after the authentication.")],
  ["auth-method", guard("Method of the authentication request.")],
  ["auth-snippet", guard("Raw nginx configuration of the authentication.")],
  ["auth-proxy-set-headers", guard("Headers sent to the authentication.")],
  ["auth-always-set-cookie", guard("Keeps cookies of the authentication.", "false")],
  ["auth-cache-key", guard("Key under which authentications are cached.")],
  ["auth-cache-duration", guard("How long authentications are cached.")],
  ["auth-keepalive", guard("Idle connections to the authentication server.")],
  ["auth-keepalive-requests", guard("Requests on one of those connections.")],
  ["auth-keepalive-timeout", guard("How long those connections idle.")],
  ["auth-keepalive-share-vars", guard("Shares variables with the authentication.", "false")],
  ["auth-type", guard("Basic or digest authentication.")],
  ["auth-secret", guard("Users and passwords.")],
  ["auth-secret-type", guard("Form of the users and passwords.")],
  ["auth-realm", guard("Realm of the authentication.")],
  ["auth-tls-secret", CLIENT_CA],
  ["auth-tls-verify-client", VERIFY_CLIENT],
  ["auth-tls-verify-depth", CLIENT_DEPTH],
  ["auth-tls-error-page", guard("Where clients without a certificate are sent.")],
  ["auth-tls-match-cn", guard("Names a client certificate may have.")],
  ["auth-tls-pass-certificate-to-upstream", CLIENT_FORWARD],
  ["enable-global-auth", guard("Whether the authentication of all Ingresses applies.", "false")],
  ["satisfy", guard("Whether all or any of the access rules must hold.")],
  ["limit-rps", guard("Requests a second for each client address.")],
  ["limit-rpm", guard("Requests a minute for each client address.")],
  ["limit-connections", guard("Connections for each client address.")],
  ["limit-burst-multiplier", pending("Burst that the limits allow.")],
  ["limit-allowlist", pending("Client addresses without limits.")],
  ["limit-whitelist", pending("Client addresses without limits.")],
  ["enable-modsecurity", guard("Web application firewall.", "false")],
  ["enable-owasp-core-rules", guard("Rules of the web application firewall.", "false")],
  ["modsecurity-snippet", guard("Rules of the web application firewall.")],
  ["modsecurity-transaction-id", pending("Name of a transaction of the firewall.")],
  ["configuration-snippet", guard("Raw nginx configuration, which may deny access.")],
  ["server-snippet", guard("Raw nginx configuration, which may deny access.")],
  ["stream-snippet", guard("Raw nginx configuration, which may deny access.")],
  // --- the way to the backend ---
  ...NGINX_BACKEND,
  ["ssl-passthrough", PASSTHROUGH],
  ["proxy-ssl-ciphers", pending("Ciphers towards the backend.")],
  ["proxy-ssl-protocols", pending("TLS versions towards the backend.")],
  ["proxy-ssl-verify-depth", pending("Length of the chain of the backend's certificate.")],
  ["service-upstream", pending("Uses the address of the Service, not of its pods.", "false")],
  ["upstream-vhost", pending("Host sent to the backend.")],
  ["upstream-hash-by", pending("Picks the endpoint by a hash.")],
  ["upstream-hash-by-subset", pending("Hashes to a subset of the endpoints.", "false")],
  ["upstream-hash-by-subset-size", pending("Size of that subset.")],
  ["load-balance", pending("How an endpoint is picked.", "round_robin")],
  ["proxy-connect-timeout", pending("Seconds to connect to the backend.")],
  ["proxy-read-timeout", pending("Seconds between two reads from the backend.")],
  ["proxy-send-timeout", pending("Seconds between two writes to the backend.")],
  ["proxy-next-upstream", pending("When another endpoint is tried.")],
  ["proxy-next-upstream-tries", pending("How many endpoints are tried.")],
  ["proxy-next-upstream-timeout", pending("How long endpoints are tried.")],
  ["proxy-http-version", pending("HTTP version towards the backend.", "1.1")],
  ["connection-proxy-header", pending("Connection header sent to the backend.", "keep-alive")],
  // --- splits and affinity ---
  ["canary", withheld("Takes a part of another Ingress's requests.", "false")],
  ["canary-weight", pending("Share of the canary.")],
  ["canary-weight-total", pending("What canary-weight is a share of.")],
  ["canary-by-header", pending("Header that chooses the canary.")],
  ["canary-by-header-value", pending("Value of that header.")],
  ["canary-by-header-pattern", pending("Pattern of that header.")],
  ["canary-by-cookie", pending("Cookie that chooses the canary.")],
  ["affinity", pending("Keeps a client on one endpoint.")],
  ["affinity-mode", pending("How strictly a client is kept.")],
  ["affinity-canary-behavior", pending("Keeps a client on the canary.")],
  ["session-cookie-name", pending("Name of the affinity cookie.")],
  ["session-cookie-path", pending("Path of the affinity cookie.")],
  ["session-cookie-domain", pending("Domain of the affinity cookie.")],
  ["session-cookie-max-age", pending("Lifetime of the affinity cookie.")],
  ["session-cookie-expires", pending("Lifetime of the affinity cookie, older form.")],
  ["session-cookie-samesite", pending("SameSite of the affinity cookie.")],
  ["session-cookie-secure", pending("Secure on the affinity cookie.")],
  ["session-cookie-change-on-failure", pending("New cookie after a failure.", "false")],
  ["session-cookie-conditional-samesite-none", pending("SameSite by browser.", "false")],
  // --- paths, hosts and redirects ---
  ["rewrite-target", pending("Path sent to the backend.")],
  ["use-regex", pending("Paths are regular expressions.", "false")],
  ["app-root", pending("Redirects / to another path.")],
  ["server-alias", pending("More host names for this Ingress.")],
  ["ssl-redirect", SSL_REDIRECT],
  ["force-ssl-redirect", FORCE_SSL_REDIRECT],
  ["preserve-trailing-slash", pending("Keeps the slash when redirecting.", "false")],
  ["from-to-www-redirect", pending("Redirects between www and the bare host.", "false")],
  ["permanent-redirect", pending("Answers with a permanent redirect.")],
  ["permanent-redirect-code", pending("Status of the permanent redirect.")],
  ["temporal-redirect", pending("Answers with a temporary redirect.")],
  ["temporal-redirect-code", pending("Status of the temporary redirect.")],
  ["relative-redirects", pending("Redirects without host name.", "false")],
  ["use-port-in-redirects", pending("Redirects with the port.", "false")],
  ["x-forwarded-prefix", pending("Tells the backend which prefix was rewritten.")],
  ["proxy-redirect-from", pending("Rewrites Location of responses.", "off", "default")],
  ["proxy-redirect-to", pending("What Location is rewritten to.")],
  ["proxy-cookie-domain", pending("Rewrites the domain of cookies.", "off")],
  ["proxy-cookie-path", pending("Rewrites the path of cookies.", "off")],
  // --- headers and errors ---
  ["enable-cors", pending("Answers cross-origin preflights.", "false")],
  ["cors-allow-origin", pending("Origins that may read responses.")],
  ["cors-allow-methods", pending("Methods that other origins may use.")],
  ["cors-allow-headers", pending("Headers that other origins may send.")],
  ["cors-allow-credentials", pending("Whether other origins may send cookies.")],
  ["cors-expose-headers", pending("Headers that other origins may read.")],
  ["cors-max-age", pending("How long a preflight is remembered.")],
  ["custom-headers", pending("Headers added to responses.")],
  ["custom-http-errors", pending("Statuses answered by the default backend.")],
  ["default-backend", pending("Service that answers when no endpoint does.")],
  ["disable-proxy-intercept-errors", pending("Leaves error pages alone.", "false")],
  // --- bodies and buffers ---
  ["proxy-body-size", pending("Largest request body.", "0")],
  ["client-body-buffer-size", pending("Memory for a request body.")],
  ["proxy-buffer-size", pending("Memory for a response head.")],
  ["proxy-buffers-number", pending("Buffers for a response.")],
  ["proxy-busy-buffers-size", pending("Buffers that may be sending.")],
  ["proxy-buffering", pending("Buffers responses.", "off")],
  ["proxy-request-buffering", pending("Buffers requests.", "off")],
  ["proxy-max-temp-file-size", pending("Response bytes on disk.")],
  ["limit-rate", pending("Bytes a second of a response.", "0")],
  ["limit-rate-after", pending("Bytes before limit-rate counts.")],
  // --- the rest ---
  ["mirror-target", pending("Where copies of requests go.")],
  ["mirror-request-body", pending("Whether copies have a body.")],
  ["mirror-host", pending("Host of the copies.")],
  ["enable-access-log", pending("Access log of this Ingress.", "true")],
  ["enable-rewrite-log", pending("Log of rewrites.", "false")],
  ["enable-opentelemetry", pending("Tracing of this Ingress.", "false")],
  ["opentelemetry-operation-name", pending("Name of a span.")],
  ["opentelemetry-trust-incoming-span", pending("Trusts the client's span.")],
  ["ssl-ciphers", SSL_CIPHERS],
  ["ssl-prefer-server-ciphers", pending("Order of those ciphers.")],
  ["http2-push-preload", pending("Pushes preloaded links.", "false")],
  ["fastcgi-index", pending("Index file of FastCGI.")],
  ["fastcgi-params-configmap", pending("Parameters of FastCGI.")],
];

export const NGINX: Dialect = {
  prefixes: ["nginx.ingress.kubernetes.io/"],
  rows: new Map(ROWS),
  alike: ["auth-", "whitelist-", "allowlist-", "denylist-", "global-rate-limit", "secure-"],
};
