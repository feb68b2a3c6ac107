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
import {
  ABSOLUTE,
  ASTERISK,
  BAD_ALIAS_LINE,
  BAD_CODING_LINE,
  BAD_CONNECTION_LINE,
  BAD_EXPECT_LINE,
  BAD_HOST_LINE,
  BAD_LENGTH_LINE,
  BAD_WS_LINE,
  EXPECT,
  FIELD,
  H2C,
  HAS_CODING,
  HAS_HOST,
  HAS_LENGTH,
  HTTPS,
  KNOWN,
  MANY_OPTIONS,
  MAX_FORWARDS,
  UNKNOWN_CODING_LINE,
  UPGRADE,
  WEBSOCKET,
  WS_KEY,
  WS_VERSION,
} from "../head.ts";
import type { Head } from "../head.ts";
import { H_DROPPED, H_MAX_FORWARDS } from "./names.ts";

/** How often our own pseudonym may stand in `Via` before it is a loop. */
const HOPS_MAX = 3;

/** The rules that look at several lines at once, in the order in which they are answered. */
export function judgeRequest(head: Head): number {
  const flags = head.flags;
  if ((flags & BAD_ALIAS_LINE) !== 0) return BAD_HEADER;
  if ((flags & (BAD_CONNECTION_LINE | MANY_OPTIONS)) !== 0) return BAD_CONNECTION;
  const framing = judgeFraming(head);
  if (framing !== OK) return framing;
  const host = judgeHost(head);
  if (host !== OK) return host;
  if (head.hops > HOPS_MAX) return LOOP;
  if ((flags & EXPECT) !== 0 && head.minor === 1 && (flags & BAD_EXPECT_LINE) !== 0) {
    return BAD_EXPECT;
  }
  if ((flags & MAX_FORWARDS) !== 0) countForward(head);
  return judgeUpgrade(head);
}

/** OPTIONS stops where it may go no further, else goes on with one less (RFC 9110 §7.6.2). */
function countForward(head: Head): void {
  const left = head.maxForwards;
  head.maxForwards = -1;
  if (head.bytes.toString("latin1", head.methodStart, head.methodEnd) !== "OPTIONS") return;
  if (left === 0) head.flags |= ASTERISK;
  head.maxForwards = left - 1;
  for (let line = 0; line < head.count * FIELD; line += FIELD) {
    if (head.fields[line + KNOWN] === H_MAX_FORWARDS) {
      head.fields[line + KNOWN] = H_DROPPED;
    }
  }
}

function judgeFraming(head: Head): number {
  const flags = head.flags;
  if ((flags & HAS_CODING) !== 0) {
    if (head.minor === 0 || (flags & HAS_LENGTH) !== 0) return BAD_FRAMING;
    if ((flags & BAD_CODING_LINE) !== 0) return BAD_FRAMING;
    if ((flags & UNKNOWN_CODING_LINE) !== 0) return CODING_UNKNOWN;
  }
  return (flags & BAD_LENGTH_LINE) !== 0 ? BAD_FRAMING : OK;
}

function judgeHost(head: Head): number {
  const flags = head.flags;
  if ((flags & BAD_HOST_LINE) !== 0) return BAD_HOST;
  if ((flags & HAS_HOST) === 0) {
    if (head.minor !== 0 || (flags & ABSOLUTE) !== 0) return BAD_HOST;
    return OK;
  }
  if ((flags & ABSOLUTE) === 0) return OK;
  const end = withoutPort(head, head.targetHostStart, head.targetHostEnd);
  const hostsEnd = withoutPort(head, head.authorityStart, head.authorityEnd);
  const same =
    end - head.targetHostStart === hostsEnd - head.authorityStart &&
    equalsFoldedRange(head.bytes, head.targetHostStart, end, head.authorityStart);
  return same ? OK : BAD_HOST;
}

/** Where an authority ends if the port of its scheme, which may be left out, is (RFC 9110 §4.2). */
function withoutPort(head: Head, from: number, to: number): number {
  const usual = (head.flags & HTTPS) === 0 ? ":80" : ":443";
  const start = to - usual.length;
  return start > from && head.bytes.toString("latin1", start, to) === usual ? start : to;
}

/**
 * Only a WebSocket handshake upgrades (RFC 6455 §4.1). `Upgrade: h2c` and all others are left out
 * of the forwarded head, and the request goes on as an ordinary one.
 */
function judgeUpgrade(head: Head): number {
  const wanted = UPGRADE | WEBSOCKET;
  const method = head.bytes.toString("latin1", head.methodStart, head.methodEnd);
  const asked = (head.flags & wanted) === wanted && (head.flags & H2C) === 0;
  if (!asked || head.minor === 0 || method !== "GET") {
    head.flags &= ~WEBSOCKET;
    return OK;
  }
  if (head.length > 0 || head.chunked) return BAD_UPGRADE;
  if ((head.flags & WS_VERSION) === 0) return WEBSOCKET_VERSION;
  const key = (head.flags & WS_KEY) !== 0 && (head.flags & BAD_WS_LINE) === 0;
  return key ? OK : BAD_UPGRADE;
}
