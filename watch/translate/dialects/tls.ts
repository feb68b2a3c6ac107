/** Rows about TLS towards clients that dialects share: the names differ, what they ask does not. */
import type { ClientAuth } from "../../../core/model.ts";
import { type Row, lock } from "./dialect.ts";
import { numberTo, parseCiphers, parseFlag, parseSecret, wordOf } from "./values.ts";

/** Longest chain that anybody can ask for: OpenSSL's own bound. */
const DEPTH_MAX = 100;

/** What a certificate of a client can be asked to be; `off` asks for nothing. */
type Verify = ClientAuth["verify"] | "off";

export const CLIENT_CA: Row = lock(
  "Secret with the authorities of client certificates, under ca.crt.",
  parseSecret,
  (asked, secret, key) => {
    asked.client.authorities = { key, secret };
  },
  (asked, key) => {
    asked.client.authorities = { key, secret: "" };
  },
);

export const CLIENT_DEPTH: Row = lock(
  "Most certificates between a client's and an authority's.",
  numberTo(DEPTH_MAX),
  (asked, depth) => {
    asked.client.depth = depth;
  },
);

export const CLIENT_FORWARD: Row = lock(
  "Passes the client's certificate on to the backend.",
  parseFlag,
  (asked, forward) => {
    asked.client.forward = forward;
  },
);

export const PASSTHROUGH: Row = lock(
  "Hands TLS to the backend unopened.",
  parseFlag,
  (asked, passthrough) => {
    asked.tls.passthrough = passthrough;
  },
);

export const CIPHERS: Row = lock("Ciphers of TLS 1.2.", parseCiphers, (asked, ciphers) => {
  asked.tls.ciphers = ciphers;
});

/** The row about what a client's certificate must be, in a dialect's own words. */
export function clientVerify(words: ReadonlyMap<string, Verify>): Row {
  return lock("Whether clients must show a certificate.", wordOf(words), (asked, as, key) => {
    asked.client.verify = { key, as };
  });
}
