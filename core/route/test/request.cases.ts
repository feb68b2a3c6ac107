/** Heads for the tests of this room: what the codec would leave behind, from a few lines of text. */
import { FIELD, Head, NAME_END, NAME_START, VALUE_END, VALUE_START } from "../../head.ts";
import { HEAD_LINES_MAX } from "../../limits.ts";

/** `lines`: header lines such as `X-A: 1`, white space around the value kept in its offsets. */
export type Asked = Readonly<{ method?: string; host?: string; target?: string; lines?: string[] }>;

/** A head of a request; the bytes around its parts are not part of any of them. */
export function headOf({ method = "GET", host = "", target = "/", lines = [] }: Asked): Head {
  const bytes = Buffer.from(
    `${method} ${target} HTTP/1.1\r\nHost: ${host}\r\n${lines.join("\r\n")}\r\n\r\n`,
    "latin1",
  );
  const head = new Head();
  head.reset(bytes, 0);
  const [path = "", ...query] = target.split("?");
  head.methodEnd = method.length;
  head.pathStart = method.length + 1;
  head.pathEnd = head.pathStart + path.length;
  if (query.length > 0) {
    head.queryStart = head.pathEnd + 1;
    head.queryEnd = head.pathStart + target.length;
  }
  head.hostStart = head.pathStart + target.length + " HTTP/1.1\r\nHost: ".length;
  head.hostEnd = head.hostStart + host.length;
  let at = head.hostEnd + 2;
  for (const line of lines.slice(0, HEAD_LINES_MAX)) {
    const field = head.count++ * FIELD;
    const colon = line.indexOf(":");
    head.fields[field + NAME_START] = at;
    head.fields[field + NAME_END] = at + colon;
    head.fields[field + VALUE_START] = at + colon + 1;
    head.fields[field + VALUE_END] = at + line.length;
    at += line.length + 2;
  }
  return head;
}
