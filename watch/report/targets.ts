/** Addresses as they stand in `status.loadBalancer.ingress`: read, written, compared. */
import { isIP } from "node:net";

/** One entry of `status.loadBalancer.ingress` (networking.k8s.io/v1). */
export type Target = Readonly<{ ip: string } | { hostname: string }>;

/** Without doubles and in the order of their text, so that equal sets are equal lists. */
export function targetsOf(addresses: Iterable<string>): readonly Target[] {
  const sorted = [...new Set(addresses)].filter((address) => address !== "").sort();
  return sorted.map((address) => (isIP(address) ? { ip: address } : { hostname: address }));
}

/** The set as one text, for comparing; order and doubles do not matter. */
export function targetsKey(list: readonly Readonly<{ ip?: string; hostname?: string }>[]): string {
  const texts = list.map(({ ip, hostname }) => `${ip ?? ""}|${hostname ?? ""}`);
  return [...new Set(texts)].sort().join(" ");
}
