/** rind's own annotations, and the rows it shares with other dialects. */
import { parseWeights } from "../shares.ts";
import { type Dialect, type Row, annotation, lock, wish } from "./dialect.ts";
import { RIND_BACKEND } from "./backend.ts";
import {
  CIPHERS,
  CLIENT_CA,
  CLIENT_DEPTH,
  CLIENT_FORWARD,
  PASSTHROUGH,
  clientVerify,
} from "./tls.ts";
import { parseHsts, wordOf } from "./values.ts";

/**
 * Traefik 1.7's traffic split, for each host and path of the Ingress on its own: a YAML map from
 * service to percentage.
 */
export const SERVICE_WEIGHTS: Row = annotation(
  "Percentages by which requests are split between the services that share a path.",
  parseWeights,
  (asked, weights) => {
    asked.weights = weights ?? { unreadable: true, shares: new Map() };
  },
  "paths with several services answer 503",
);

/** Endpoints are a Service's, whichever Ingresses lead to it. */
const LOAD_BALANCE: Row = {
  kind: "applied",
  doc: "How requests are spread over the endpoints of a Service; on the Service, not here.",
  bad: "ignored",
  locks: false,
  read: () => "belongs on the Service, not on the Ingress",
};

const SSL_REDIRECT: Row = wish(
  "Redirects to HTTPS: true where the host has TLS, always, or false.",
  wordOf(
    new Map([
      ["true", "secured"],
      ["false", "never"],
      ["always", "always"],
    ]),
  ),
  (asked, when) => {
    asked.tls.redirect = when !== "never";
    asked.tls.force = when === "always";
  },
);

const HSTS: Row = wish(
  "Strict-Transport-Security of responses over HTTPS, or off.",
  parseHsts,
  (asked, hsts) => {
    asked.tls.hsts = hsts;
  },
);

const TLS_MIN_VERSION: Row = lock(
  "Oldest version of TLS that is spoken.",
  wordOf(
    new Map([
      ["1.2", "1.2"],
      ["1.3", "1.3"],
    ] as const),
  ),
  (asked, version) => {
    asked.tls.minVersion = version;
  },
);

const CLIENT_VERIFY: Row = clientVerify(
  new Map([
    ["required", "required"],
    ["optional", "optional"],
    ["unchecked", "unchecked"],
    ["off", "off"],
  ]),
);

export const RIND: Dialect = {
  prefixes: ["rind.dev/"],
  rows: new Map([
    ["service-weights", SERVICE_WEIGHTS],
    ["load-balance", LOAD_BALANCE],
    ["ssl-redirect", SSL_REDIRECT],
    ["hsts", HSTS],
    ["tls-min-version", TLS_MIN_VERSION],
    ["tls-ciphers", CIPHERS],
    ["client-ca", CLIENT_CA],
    ["client-verify", CLIENT_VERIFY],
    ["client-depth", CLIENT_DEPTH],
    ["client-forward", CLIENT_FORWARD],
    ["passthrough", PASSTHROUGH],
    ...RIND_BACKEND,
  ]),
  alike: ["auth", "allow", "deny", "client-", "backend-tls-"],
};
