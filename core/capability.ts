/**
 * The capability to listen below port 1024. The file of rind in an image permits it (setcap +p,
 * scripts/root.mjs) but does not put it to use, because the kernel starts no file that puts to use
 * what the process may not have: a container that drops every capability would get "operation not
 * permitted" instead of a rind on high ports. So rind itself puts it to use, where it is permitted;
 * see capabilities(7), "File effective bit". Workers inherit sockets, and never need it.
 */
import type { Libc } from "./libc.ts";

/** CAP_NET_BIND_SERVICE, as a bit of the first word of a set. */
const NET_BIND_SERVICE = 1 << 10;
/** _LINUX_CAPABILITY_VERSION_3: two triples of effective, permitted and inheritable. */
const VERSION = 0x2008_0522;
const EFFECTIVE = 0;
const PERMITTED = 1;
const WORDS = 6;

/**
 * Puts the capability to use in this thread, which is the one that binds; false when it is not
 * permitted. Where it is not, a low port is refused as ever, and the refusal names the address.
 */
export function useLowPorts(libc: Libc): boolean {
  // The second word is a process: 0 is this thread.
  const header = new Uint32Array([VERSION, 0]);
  const sets = new Uint32Array(WORDS);
  if (libc.capget(header, sets) !== 0) return false;
  if ((sets[PERMITTED]! & NET_BIND_SERVICE) === 0) return false;
  sets[EFFECTIVE]! |= NET_BIND_SERVICE;
  return libc.capset(header, sets) === 0;
}
