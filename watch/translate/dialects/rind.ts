/** rind's own annotations, and the rows it shares with other dialects. */
import { parseWeights } from "../shares.ts";
import { type Dialect, type Row, annotation } from "./dialect.ts";

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
  read: () => "belongs on the Service, not on the Ingress",
};

export const RIND: Dialect = {
  prefixes: ["rind.dev/"],
  rows: new Map([
    ["service-weights", SERVICE_WEIGHTS],
    ["load-balance", LOAD_BALANCE],
  ]),
  alike: ["auth", "allow", "deny"],
};
