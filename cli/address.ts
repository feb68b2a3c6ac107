/** Addresses as people write them: `127.0.0.1:8000`, `[::1]:8000`, `:8000`. */
import { isIP } from "node:net";
import type { Address } from "../core/protocol.ts";

const PORT_MAX = 65_535;

export type Parsed<T> = Readonly<{ ok: true; value: T } | { ok: false; reason: string }>;

/**
 * Reads an address to listen on. Host names are refused, because what they stand for may change;
 * `localhost` is 127.0.0.1, and no host at all is every IPv4 address. Port 0 is any free port.
 */
export function parseAddress(text: string): Parsed<Address> {
  const match = /^(?:\[([^\]]*)\]|([^:]*)):(\d{1,5})$/.exec(text);
  if (match === null) {
    return refuse(text, isIP(text) === 6 ? `[${text}]:8000` : "127.0.0.1:8000 or [::1]:8000");
  }
  const port = Number(match[3]);
  if (port > PORT_MAX) return { ok: false, reason: `port ${port} is above ${PORT_MAX}` };
  const v6 = match[1];
  if (v6 !== undefined) {
    // A zone (fe80::1%eth0) is a name of this machine: it may change as well.
    if (isIP(v6) !== 6 || v6.includes("%"))
      return refuse(text, "an IPv6 address between the brackets");
    return { ok: true, value: { host: v6, port } };
  }
  const name = match[2] ?? "";
  const host = name === "" ? "0.0.0.0" : name === "localhost" ? "127.0.0.1" : name;
  if (isIP(host) !== 4) return refuse(text, "an IP address, not a name, before the port");
  return { ok: true, value: { host, port } };
}

function refuse(text: string, expected: string): Parsed<Address> {
  return { ok: false, reason: `"${text}" is not an address: expected ${expected}` };
}
