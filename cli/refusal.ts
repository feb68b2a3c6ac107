/** What to tell a person whose address cannot be had, and what to do about it. */
import { showAddress } from "../core/protocol.ts";
import type { Address } from "../core/protocol.ts";

/** Ports to suggest instead of a taken one: this much higher, so that it is easy to remember. */
const PORT_STEP = 1_000;

const RESERVED = "the system reserves this port for root, and for containers with NET_BIND_SERVICE";
const REASONS: ReadonlyMap<string, string> = new Map([
  ["EADDRINUSE", "another program listens there"],
  ["EACCES", RESERVED],
  ["EPERM", RESERVED],
  ["EADDRNOTAVAIL", "this machine does not have this address"],
  ["EAFNOSUPPORT", "this machine does not speak this kind of address"],
]);

/** One line with the address, the reason and the flag that helps. `code` is the system's. */
export function refusal(flag: "http" | "https" | "admin", address: Address, code: string): string {
  const reason = REASONS.get(code) ?? code;
  const fix =
    code === "EADDRNOTAVAIL" || code === "EAFNOSUPPORT"
      ? { host: address.host === "::" ? "0.0.0.0" : "127.0.0.1", port: address.port }
      : { host: address.host, port: (address.port % 60_000) + PORT_STEP };
  return `rind: cannot listen on ${showAddress(address)}: ${reason}
      choose another address, such as --${flag} ${showAddress(fix)}`;
}
