/** I1 and I5 of a response at the codec: cut in any way it is the same, and it reads back. */
import { MORE, OK } from "../../core/fault.ts";
import { Head } from "../../core/head.ts";
import { Body } from "../../core/http1/body.ts";
import { DATA, ENDED, WANT } from "../../core/http1/found.ts";
import { parseResponse, responseKind } from "../../core/http1/response.ts";
import { SAY_NOTHING, writeResponse } from "../../core/http1/write.ts";
import { Slab } from "../../core/slab.ts";
import type { Case } from "./cases.ts";

const LEFTOVER = "\r\n\r\n0: ";
const HEAD_LINES = 250;
const SLAB = new Slab();

/** What differs when the bytes of a case are read in its pieces and byte by byte, or "". */
export function pieces({ bytes, ends }: Case, toHead: boolean): string {
  const whole = read(bytes, [bytes.length], toHead);
  if (whole.includes("unequal")) return `I5: ${whole}`;
  const single = Array.from({ length: bytes.length }, (_, i) => i + 1);
  for (const cuts of bytes.length <= 400 ? [ends, single] : [ends]) {
    const cut = read(bytes, cuts, toHead);
    if (cut !== whole) return `I1: whole it is ${whole}, in pieces ${cut}`;
  }
  return "";
}

/** The first final response as text: its head's facts, its body, and how it ends. */
function read(source: Buffer, ends: readonly number[], toHead: boolean): string {
  const bytes = Buffer.alloc(source.length + 16, LEFTOVER, "latin1");
  const head = new Head();
  head.reset(bytes, 0);
  let available = 0;
  let next = 0;
  const more = (): boolean => {
    if (next >= ends.length) return false;
    source.copy(bytes, available, available, ends[next]);
    available = ends[next++]!;
    return true;
  };
  more();
  for (;;) {
    let parsed = parseResponse(head, available);
    while (parsed === MORE && more()) parsed = parseResponse(head, available);
    if (parsed !== OK) return parsed === MORE ? "unfinished head" : "bad head";
    if (head.status >= 200 || head.status === 101) break;
    head.reset(bytes, head.end);
  }
  const kind = responseKind(head, toHead);
  const facts = [head.status, head.minor, head.length, head.chunked, kind, back(head)].join();
  const body = new Body();
  body.start(kind, head.length, true);
  let data = "";
  for (let at = head.end; ;) {
    const found = body.next(bytes, at, available);
    at = body.at;
    if (found === DATA) data += bytes.toString("latin1", body.from, body.to);
    else if (found === ENDED) return `${facts} whole ${at} ${JSON.stringify(data)}`;
    else if (found !== WANT) return `${facts} broken ${JSON.stringify(data)}`;
    else if (!more()) return `${facts} open ${JSON.stringify(data)}`;
  }
}

/** Whether the head, written for a client, reads back with the same status and framing. */
function back(head: Head): string {
  // A full head does not fit again with our lines.
  if (head.count > HEAD_LINES) return "equal";
  const kind = responseKind(head, false);
  SLAB.end = 0;
  writeResponse(SLAB, head, kind, SAY_NOTHING);
  const again = new Head();
  again.reset(Buffer.from(SLAB.bytes.subarray(0, SLAB.end)), 0);
  const parsed = parseResponse(again, SLAB.end);
  const length = head.status < 200 || head.status === 204 ? -1 : head.length;
  const same = again.status === head.status && again.length === length;
  return parsed === OK && same && again.end === SLAB.end ? "equal" : "unequal";
}
