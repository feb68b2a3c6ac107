/** From flags to how TLS is spoken. */
import type { Parsed } from "./address.ts";
import type { Given } from "./flags.ts";
import type { Address, TlsSettings } from "../core/protocol.ts";
import { parseCiphers } from "../watch/translate/dialects/values.ts";

const PORT_MAX = 65_535;
/** Where browsers look for HTTPS. */
const HTTPS_PORT = 443;

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
  const ciphers = readCiphers(given.last("tls-ciphers") ?? "");
  if (!ciphers.ok) return about("tls-ciphers", ciphers.reason);
  const port = readPort(given.last("redirect-port"), https);
  if (port === null) return about("redirect-port", `is not a port, 1 to ${PORT_MAX}`);
  return { ok: true, value: { minVersion, unknown, ciphers: ciphers.value, port } };
}

/** A list that no handshake could use would end each worker at its start. */
function readCiphers(text: string): Parsed<string> {
  return text === "" ? { ok: true, value: "" } : parseCiphers(text);
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
