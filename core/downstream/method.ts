/** What a request's method says about it (RFC 9110 §9.2.2, §9.3.2). */
import { ascii } from "../bytes.ts";
import type { Head } from "../head.ts";

const HEAD = ascii("HEAD");
const IDEMPOTENT = [ascii("GET"), HEAD, ascii("PUT"), ascii("DELETE"), ascii("OPTIONS")];

/** The answer has no body. */
export function isHead(head: Head): boolean {
  return isMethod(head, HEAD);
}

/** The request may be sent twice. */
export function isIdempotent(head: Head): boolean {
  for (let i = 0; i < IDEMPOTENT.length; i++) if (isMethod(head, IDEMPOTENT[i]!)) return true;
  return false;
}

function isMethod(head: Head, name: Uint8Array): boolean {
  if (head.methodEnd - head.methodStart !== name.length) return false;
  for (let i = 0; i < name.length; i++) {
    if (head.bytes[head.methodStart + i] !== name[i]) return false;
  }
  return true;
}
