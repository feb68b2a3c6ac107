/** What an Ingress says beside its spec: the addresses that its status has now. */
import { isFields } from "../../objects.ts";
import { uidOf, versionOf } from "./frames.ts";

/** `status.loadBalancer.ingress` as it is, and of which version of which Ingress. */
export type IngressStatus = Readonly<{
  uid: string;
  resourceVersion: string;
  ingress: readonly Readonly<{ ip?: string; hostname?: string }>[];
}>;

/** The status of a raw Ingress. One that cannot be read is empty, and so gets written. */
export function readStatus(raw: Readonly<Record<string, unknown>>): IngressStatus {
  const status = isFields(raw["status"]) ? raw["status"] : {};
  const balancer = isFields(status["loadBalancer"]) ? status["loadBalancer"] : {};
  const list: readonly unknown[] = Array.isArray(balancer["ingress"]) ? balancer["ingress"] : [];
  const ingress = list.filter(isFields).map(({ ip, hostname }) => ({
    ...(typeof ip === "string" && ip !== "" ? { ip } : {}),
    ...(typeof hostname === "string" && hostname !== "" ? { hostname } : {}),
  }));
  return { uid: uidOf(raw), resourceVersion: versionOf(raw), ingress };
}
