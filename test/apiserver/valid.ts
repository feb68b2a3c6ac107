/** The validation that controllers meet in practice, with the API server's words. */
import { BlockList, isIP } from "node:net";
import type { KindRow } from "./kinds.ts";
import type { Given } from "./objects.ts";

type Causes = (readonly [field: string, message: string])[];
type Fields = Readonly<Record<string, unknown>>;

const NAME = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;
const HOST = /^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

/** Addresses that no endpoint may have. */
const SPECIAL = new BlockList();
SPECIAL.addSubnet("127.0.0.0", 8);
SPECIAL.addSubnet("169.254.0.0", 16);
SPECIAL.addSubnet("224.0.0.0", 24);
SPECIAL.addAddress("0.0.0.0");
SPECIAL.addAddress("::1", "ipv6");
SPECIAL.addAddress("::", "ipv6");
SPECIAL.addSubnet("fe80::", 10, "ipv6");

/** What is wrong with an object that somebody wants to write; nothing is: an empty list. */
export function causesOf({ kind }: KindRow, object: Given): Causes {
  const causes: Causes = [];
  const { name } = object.metadata;
  if (!NAME.test(name)) {
    causes.push(["metadata.name", `Invalid value: "${name}": a lowercase RFC 1123 subdomain`]);
  }
  if (kind === "Ingress") causes.push(...ingress(object));
  if (kind === "EndpointSlice") causes.push(...slice(object));
  if (kind === "Event") causes.push(...event(object));
  return causes;
}

function ingress(object: Given): Causes {
  const causes: Causes = [];
  const spec = fields(object["spec"]);
  const rules = list(spec["rules"]);
  if (rules.length === 0 && spec["defaultBackend"] === undefined) {
    causes.push(["spec", "Invalid value: either `defaultBackend` or `rules` must be specified"]);
  }
  rules.forEach((rule, i) => {
    const host = fields(rule)["host"];
    if (host !== undefined && !HOST.test(String(host))) {
      const what = `a lowercase RFC 1123 subdomain must consist of lower case characters`;
      causes.push([`spec.rules[${i}].host`, `Invalid value: "${host}": ${what}`]);
    }
  });
  const balancer = fields(fields(object["status"])["loadBalancer"]);
  list(balancer["ingress"]).forEach((point, i) => {
    const { ip, hostname } = fields(point);
    const at = `status.loadBalancer.ingress[${i}]`;
    if (ip !== undefined && isIP(String(ip)) === 0) {
      causes.push([`${at}.ip`, `Invalid value: "${ip}": must be a valid IP address`]);
    }
    if (hostname !== undefined && isIP(String(hostname)) !== 0) {
      const what = "must be a DNS name, not an IP address";
      causes.push([`${at}.hostname`, `Invalid value: "${hostname}": ${what}`]);
    }
  });
  return causes;
}

function slice(object: Given): Causes {
  const causes: Causes = [];
  list(object["endpoints"]).forEach((endpoint, i) => {
    list(fields(endpoint)["addresses"]).forEach((address, j) => {
      const text = String(address);
      const special = SPECIAL.check(text, isIP(text) === 6 ? "ipv6" : "ipv4");
      if (!special) return;
      const what = "may not be in the loopback range (127.0.0.0/8, ::1/128)";
      causes.push([`endpoints[${i}].addresses[${j}]`, `Invalid value: "${text}": ${what}`]);
    });
  });
  return causes;
}

/** An Event lives where its object does; one of a cluster-wide object lives in `default`. */
function event(object: Given): Causes {
  const about = String(fields(object["involvedObject"])["namespace"] ?? "");
  const here = String(object.metadata["namespace"] ?? "default");
  const right = about === "" ? ["default", "kube-system"].includes(here) : about === here;
  return right ? [] : [["involvedObject.namespace", "does not match event.namespace"]];
}

function fields(value: unknown): Fields {
  return typeof value === "object" && value !== null ? (value as Fields) : {};
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
