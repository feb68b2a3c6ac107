/** The one upgrade that is let through: a WebSocket handshake, verified (RFC 6455 §4.2.2). */
import { OK } from "../fault.ts";
import { FIELD, H2C, Head, KNOWN, UPGRADE, VALUE_END, VALUE_START, WEBSOCKET } from "../head.ts";
import { WIDEST_LIMITS } from "./fields.ts";
import { H_WS_ACCEPT, H_WS_KEY } from "./names.ts";
import { parseRequest } from "./request.ts";

const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/** Whether a 101 head says yes to the handshake in `request`, whose head starts at `start`. */
export function isSwitch(response: Head, request: Buffer, start: number): boolean {
  const wanted = UPGRADE | WEBSOCKET;
  if ((response.flags & (wanted | H2C)) !== wanted) return false;
  const asked = new Head();
  asked.reset(request, start);
  if (parseRequest(asked, request.length, WIDEST_LIMITS) !== OK) return false;
  const key = valueOf(asked, H_WS_KEY);
  const accept = new Bun.CryptoHasher("sha1").update(key + GUID).digest("base64");
  return key !== "" && valueOf(response, H_WS_ACCEPT) === accept;
}

/** The value of the only line of that name; "" when there is none or more than one. */
function valueOf(head: Head, known: number): string {
  let value = "";
  for (let line = 0; line < head.count * FIELD; line += FIELD) {
    if (head.fields[line + KNOWN] !== known) continue;
    if (value !== "") return "";
    const from = head.fields[line + VALUE_START]!;
    value = head.bytes.toString("latin1", from, head.fields[line + VALUE_END]!);
  }
  return value;
}
