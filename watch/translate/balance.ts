/** How requests are spread over the endpoints of a Service, as its annotation says. */
import type { Balance } from "../../core/model.ts";
import { SERVICE_KEYS } from "./backendtls.ts";
import { nearest } from "./nearest.ts";
import { type Field, clip, quote } from "./read.ts";

const PREFIX = "rind.dev/";
const ANNOTATION = `${PREFIX}load-balance`;
const KNOWN = [ANNOTATION, ...SERVICE_KEYS];
const BALANCES = new Map<string, Balance>([
  ["least-request", "leastRequest"],
  ["round-robin", "roundRobin"],
]);

/** What the Service asks for. A value that means nothing is remarked, and the default is used. */
export function readBalance(service: Field, annotations: ReadonlyMap<string, string>): Balance {
  for (const key of annotations.keys()) {
    if (key.startsWith(PREFIX) && !KNOWN.includes(key)) remarkUnknown(service, key);
  }
  const raw = annotations.get(ANNOTATION);
  const balance = BALANCES.get(raw?.trim() ?? "least-request");
  if (balance !== undefined) return balance;
  const [first, second] = BALANCES.keys();
  service.remark({
    field: `metadata.annotations[${ANNOTATION}]`,
    reason: `${quote(raw ?? "")} is neither ${first} nor ${second}`,
    effect: `${first} is used`,
  });
  return "leastRequest";
}

function remarkUnknown(service: Field, key: string): void {
  const near = nearest(key, KNOWN);
  service.remark({
    level: "warning",
    field: `metadata.annotations[${clip(key)}]`,
    reason: "is not an annotation that rind knows on a Service",
    hint: near === null ? "" : `did you mean ${near}?`,
    effect: "ignored",
  });
}
