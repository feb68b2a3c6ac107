/** How requests are spread over the endpoints of a Service, as its annotation says. */
import type { Balance } from "../../core/model.ts";
import { type Field, quote } from "./read.ts";

const ANNOTATION = "rind.dev/load-balance";
const BALANCES = new Map<string, Balance>([
  ["least-request", "leastRequest"],
  ["round-robin", "roundRobin"],
]);

/** What the Service asks for. A value that means nothing is remarked, and the default is used. */
export function readBalance(service: Field, annotations: ReadonlyMap<string, string>): Balance {
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
