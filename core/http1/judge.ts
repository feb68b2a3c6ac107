/** The rules of a request that need all of its lines: framing, host, expectation, upgrade. */
import { equalsFoldedRange } from "../bytes.ts";
import {
  BAD_CONNECTION,
  BAD_EXPECT,
  BAD_FRAMING,
  BAD_HEADER,
  BAD_HOST,
  BAD_UPGRADE,
  CODING_UNKNOWN,
  LOOP,
  OK,
  WEBSOCKET_VERSION,
} from "../fault.ts";
import * as flag from "../head.ts";
import type { Head } from "../head.ts";
import { H_DROPPED, H_MAX_FORWARDS } from "./names.ts";

/** How often our own pseudonym may stand in `Via` before it is a loop. */
const HOPS_MAX = 3;

/** The rules that look at several lines at once, in the order in which they are answered. */
export function judgeRequest(head: Head): number {
  const flags = head.flags;
  if ((flags & flag.BAD_ALIAS_LINE) !== 0) return BAD_HEADER;
  if ((flags & flag.BAD_CONNECTION_LINE) !== 0) return BAD_CONNECTION;
  const framing = judgeFraming(head);
  if (framing !== OK) return framing;
  const host = judgeHost(head);
  if (host !== OK) return host;
  if (head.hops > HOPS_MAX) return LOOP;
  if ((flags & flag.EXPECT) !== 0 && head.minor === 1 && (flags & flag.BAD_EXPECT_LINE) !== 0) {
    return BAD_EXPECT;
  }
  if ((flags & flag.MAX_FORWARDS) !== 0) countForward(head);
  return judgeUpgrade(head);
}

/** OPTIONS stops where it may go no further, else goes on with one less (RFC 9110 §7.6.2). */
function countForward(head: Head): void {
  const left = head.maxForwards;
  head.maxForwards = -1;
  if (head.bytes.toString("latin1", head.methodStart, head.methodEnd) !== "OPTIONS") return;
  if (left === 0) head.flags |= flag.ASTERISK;
  head.maxForwards = left - 1;
  for (let line = 0; line < head.count * flag.FIELD; line += flag.FIELD) {
    if (head.fields[line + flag.KNOWN] === H_MAX_FORWARDS) {
      head.fields[line + flag.KNOWN] = H_DROPPED;
    }
  }
}

function judgeFraming(head: Head): number {
  const flags = head.flags;
  if ((flags & flag.HAS_CODING) !== 0) {
    if (head.minor === 0 || (flags & flag.HAS_LENGTH) !== 0) return BAD_FRAMING;
    if ((flags & flag.BAD_CODING_LINE) !== 0) return BAD_FRAMING;
    if ((flags & flag.UNKNOWN_CODING_LINE) !== 0) return CODING_UNKNOWN;
  }
  return (flags & flag.BAD_LENGTH_LINE) !== 0 ? BAD_FRAMING : OK;
}

function judgeHost(head: Head): number {
  const flags = head.flags;
  if ((flags & flag.BAD_HOST_LINE) !== 0) return BAD_HOST;
  if ((flags & flag.HAS_HOST) === 0) {
    if (head.minor !== 0 || (flags & flag.ABSOLUTE) !== 0) return BAD_HOST;
    return OK;
  }
  if ((flags & flag.ABSOLUTE) === 0) return OK;
  const end = withoutPort80(head, head.targetHostStart, head.targetHostEnd);
  const hostsEnd = withoutPort80(head, head.authorityStart, head.authorityEnd);
  const same =
    end - head.targetHostStart === hostsEnd - head.authorityStart &&
    equalsFoldedRange(head.bytes, head.targetHostStart, end, head.authorityStart);
  return same ? OK : BAD_HOST;
}

function withoutPort80(head: Head, from: number, to: number): number {
  const port = head.bytes.toString("latin1", Math.max(from, to - 3), to);
  return port === ":80" ? to - 3 : to;
}

/**
 * Only a WebSocket handshake upgrades (RFC 6455 §4.1). `Upgrade: h2c` and all others are left out
 * of the forwarded head, and the request goes on as an ordinary one.
 */
function judgeUpgrade(head: Head): number {
  const wanted = flag.UPGRADE | flag.WEBSOCKET;
  const method = head.bytes.toString("latin1", head.methodStart, head.methodEnd);
  const asked = (head.flags & wanted) === wanted && (head.flags & flag.H2C) === 0;
  if (!asked || head.minor === 0 || method !== "GET") {
    head.flags &= ~flag.WEBSOCKET;
    return OK;
  }
  if (head.length > 0 || head.chunked) return BAD_UPGRADE;
  if ((head.flags & flag.WS_VERSION) === 0) return WEBSOCKET_VERSION;
  const key = (head.flags & flag.WS_KEY) !== 0 && (head.flags & flag.BAD_WS_LINE) === 0;
  return key ? OK : BAD_UPGRADE;
}
