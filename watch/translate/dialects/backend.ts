/** Rows about the way to the backend that dialects share, and Services have: TLS to endpoints. */
import { isIP } from "node:net";

import { isName } from "../../objects.ts";
import { type Parsed, quote } from "../read.ts";
import { type AskedBackend, type Row, lock, wish } from "./dialect.ts";
import { parseSecret, wordOf } from "./values.ts";

/** In the words of ingress-nginx, and in those of the rest of Kubernetes. */
const SWITCH = wordOf(
  new Map([
    ["on", true],
    ["off", false],
    ["true", true],
    ["false", false],
  ]),
);

/** Of a backend of which nobody said anything. */
export function backendAskOf(): AskedBackend {
  return { key: "", https: null, secret: null, verify: null, name: null, sni: null };
}

/** The row about the protocol: whether it is HTTPS, in a dialect's own words for HTTP and that. */
function protocol(http: string, https: string): Row {
  const parse = (raw: string): Parsed<boolean> => {
    const word = raw.trim().toLowerCase();
    if (word === http.toLowerCase()) return { ok: true, value: false };
    if (word === https.toLowerCase()) return { ok: true, value: true };
    const reason = `${quote(raw.trim())} is not supported yet, only ${http} and ${https} are`;
    return { ok: false, reason };
  };
  return lock("Protocol spoken to the backend.", parse, (asked, https, key) => {
    asked.backend.https = https;
    asked.backend.key = key;
  });
}

/** As rind, Traefik and Services write it. */
export const PROTOCOL: Row = protocol("http", "https");

const BACKEND_SECRET: Row = lock(
  "Secret with the backend's authorities (ca.crt) and the pair shown to it (tls.crt, tls.key).",
  parseSecret,
  (asked, secret) => {
    asked.backend.secret = secret;
  },
);

const BACKEND_VERIFY: Row = lock(
  "Whether the backend's certificate is checked.",
  SWITCH,
  (asked, verify) => {
    asked.backend.verify = verify;
  },
);

const BACKEND_NAME: Row = lock(
  "Name that the backend's certificate must be for.",
  parseServerName,
  (asked, name) => {
    asked.backend.name = name;
  },
);

const BACKEND_SNI: Row = wish("Sends the name to the backend (SNI).", SWITCH, (asked, sni) => {
  asked.backend.sni = sni;
});

/** `backend-protocol` of ingress-nginx. AUTO_HTTP is HTTPS for some requests, and refused. */
export const NGINX_BACKEND: readonly (readonly [string, Row])[] = [
  ["backend-protocol", protocol("HTTP", "HTTPS")],
  ["proxy-ssl-secret", BACKEND_SECRET],
  ["proxy-ssl-verify", BACKEND_VERIFY],
  ["proxy-ssl-name", BACKEND_NAME],
  ["proxy-ssl-server-name", BACKEND_SNI],
];

/** rind's own, on an Ingress or on a Service. */
export const RIND_BACKEND: readonly (readonly [string, Row])[] = [
  ["backend-protocol", PROTOCOL],
  ["backend-tls-secret", BACKEND_SECRET],
  ["backend-tls-verify", BACKEND_VERIFY],
  ["backend-tls-name", BACKEND_NAME],
  ["backend-tls-sni", BACKEND_SNI],
];

/** A DNS name, or an address, in lower case and without the dot at its end. */
function parseServerName(raw: string): Parsed<string> {
  const name = raw.trim().toLowerCase().replace(/\.$/, "");
  if (isName(name) || isIP(name) !== 0) return { ok: true, value: name };
  return { ok: false, reason: `${quote(raw.trim())} is neither a DNS name nor an address` };
}
