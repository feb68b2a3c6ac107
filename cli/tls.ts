/** From flags to how TLS is spoken. */
import type { Parsed } from "./address.ts";
import type { Given } from "./flags.ts";
import type { Address, TlsSettings } from "../core/protocol.ts";

const PORT_MAX = 65_535;
/** Where browsers look for HTTPS. */
const HTTPS_PORT = 443;
/** Names of ciphers and groups of them, as OpenSSL's cipher lists have them. */
const CIPHERS = /^[A-Za-z0-9+!@=:_-]{1,1000}$/;

/** All but the certificate: that is made when everything else is known to be right. */
export function readTls(
  given: Given,
  https: readonly Address[],
): Parsed<Omit<TlsSettings, "fallback">> {
  const minVersion = given.last("tls-min-version") ?? "1.2";
  if (minVersion !== "1.2" && minVersion !== "1.3") {
    return about("tls-min-version", `"${minVersion}" is not 1.2 or 1.3`);
  }
  const unknown = given.last("unknown-sni") ?? "default";
  if (unknown !== "default" && unknown !== "refuse") {
    return about("unknown-sni", `"${unknown}" is not default or refuse`);
  }
  const ciphers = given.last("tls-ciphers") ?? "";
  if (ciphers !== "" && !CIPHERS.test(ciphers)) {
    return about("tls-ciphers", `"${ciphers}" is not a list of ciphers such as A:B`);
  }
  const port = readPort(given.last("redirect-port"), https);
  if (port === null) return about("redirect-port", `is not a port, 1 to ${PORT_MAX}`);
  return { ok: true, value: { minVersion, unknown, ciphers, port } };
}

/** What is listened on is what clients see, unless somebody maps ports and says so. */
function readPort(text: string | undefined, https: readonly Address[]): number | null {
  if (text === undefined) return https[0]?.port ?? HTTPS_PORT;
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  return port > 0 && port <= PORT_MAX ? port : null;
}

function about(flag: string, reason: string): Parsed<never> {
  return { ok: false, reason: `--${flag}: ${reason}` };
}
