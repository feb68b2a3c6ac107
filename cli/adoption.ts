/** From flags to which Ingresses are ours, and what they may ask for. */
import type { Parsed } from "./address.ts";
import type { Given } from "./flags.ts";
import { isName } from "../watch/objects.ts";
import { TRUSTING, type TranslateOptions } from "../watch/translate/draft.ts";
import { parseHsts } from "../watch/translate/dialects/values.ts";
import { parseNamePattern } from "../watch/translate/external.ts";
import { type Selector, parseSelector } from "../watch/translate/selector.ts";

/** Which Ingresses are ours, and what they may ask for. */
export type Adoption = Omit<TranslateOptions, "version">;

/**
 * A folder has one reader, who is trusted: what has no class there is meant for us, and any address
 * is fine. A cluster may have several controllers and tenants, so there both have to be said, and
 * `addresses` are filled in by who knows where the API server is.
 */
export function readAdoption(given: Given, cluster = false): Parsed<Adoption> {
  const selector = readSelector(given.last("namespace-selector"));
  if (!selector.ok) return about("namespace-selector", selector.reason);
  const externalNames: string[] = [];
  for (const text of given.all("external-names")) {
    const pattern = parseNamePattern(text);
    if (!pattern.ok) return about("external-names", pattern.reason);
    externalNames.push(pattern.value);
  }
  const redirect = given.last("ssl-redirect") ?? "on";
  if (redirect !== "on" && redirect !== "off") {
    return about("ssl-redirect", `"${redirect}" is not on or off`);
  }
  const certificate = given.last("default-certificate") ?? "";
  if (certificate !== "" && !isSecret(certificate)) {
    return about("default-certificate", `"${certificate}" is not NAMESPACE/NAME of a Secret`);
  }
  const hsts = parseHsts(given.last("hsts") ?? "off");
  if (!hsts.ok) return about("hsts", hsts.reason);
  const value = {
    ...TRUSTING,
    classes: given.last("class") === undefined ? ["rind"] : given.all("class"),
    controller: given.last("controller") ?? "rind.dev/ingress-controller",
    withoutClass: !cluster || given.last("without-class") !== undefined,
    namespaceSelector: selector.value,
    externalNames,
    allSecrets: !cluster || given.last("secrets") === "all",
    defaultCertificate: certificate,
    sslRedirect: redirect === "on",
    hsts: hsts.value,
  };
  return { ok: true, value };
}

function isSecret(text: string): boolean {
  const parts = text.split("/");
  return parts.length === 2 && parts.every(isName);
}

function readSelector(text: string | undefined): Parsed<Selector | null> {
  return text === undefined ? { ok: true, value: null } : parseSelector(text);
}

function about(flag: string, reason: string): Parsed<never> {
  return { ok: false, reason: `--${flag}: ${reason}` };
}
