/**
 * What the bytes of a backend mean to a reader that has nothing in common with core/http1: one
 * whole response, a part of one, or junk. It decides which connections may be used again.
 */

/**
 * `whole`: `size` bytes are one final response, with the interim ones before it. `keeps`: the
 * backend keeps its connection, and nothing about the framing is doubtful.
 */
export type Reading =
  | Readonly<{ kind: "whole"; status: number; size: number; keeps: boolean; body: string }>
  | Readonly<{ kind: "part" | "junk" }>;

/** `toHead`: the request was HEAD. `ended`: FIN follows the bytes, not RST and not silence. */
export type Wire = Readonly<{ text: string; toHead: boolean; ended: boolean }>;

const FIELD_LINE = "[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\\t\\x20-\\x7e\\x80-\\xff]*\\r\\n";
const HEAD = new RegExp(
  `HTTP/1\\.([01]) (\\d\\d\\d)(?: [\\t\\x20-\\x7e\\x80-\\xff]*)?\\r\\n((?:${FIELD_LINE})*)\\r\\n`,
  "y",
);
const SIZE = /([0-9A-Fa-f]{1,16})[\t ]*(?:;[\t\x20-\x7e\x80-\xff]*)?\r\n/y;
const TRAILERS = new RegExp(`(?:${FIELD_LINE})*\\r\\n`, "y");

const PART: Reading = { kind: "part" };
const JUNK: Reading = { kind: "junk" };

type Framed = Readonly<{ size: number; body: string }>;

/** Reads the first final response. `text` is latin1. */
export function readAnswer({ text, toHead, ended }: Wire): Reading {
  let at = 0;
  for (;;) {
    const head = match(HEAD, text, at);
    if (head === null) return text.indexOf("\r\n\r\n", at) < 0 ? PART : JUNK;
    const [, minor, digits, lines] = head;
    const status = Number(digits);
    at += head[0].length;
    if (status === 101) return JUNK;
    if (status < 100) return JUNK;
    if (status < 200) continue;
    const codings = valuesIn(lines!, "transfer-encoding");
    const lengths = valuesIn(lines!, "content-length");
    const tokens = valuesIn(lines!, "connection")
      .join(",")
      .toLowerCase()
      .split(/[ \t]*,[ \t]*/);
    const kept = minor === "1" ? !tokens.includes("close") : tokens.includes("keep-alive");
    const bodiless = toHead || status === 204 || status === 304;
    const clear = codings.length + lengths.length < 2;
    const framed = bodiless
      ? { size: at, body: "" }
      : framedBody({ text, at, ended, minor: minor! }, codings, lengths);
    if (framed === null || framed === "junk") return framed === null ? PART : JUNK;
    const closed = !bodiless && codings.length + lengths.length === 0;
    return { kind: "whole", status, ...framed, keeps: kept && clear && !closed };
  }
}

type Behind = Readonly<{ text: string; at: number; ended: boolean; minor: string }>;

/** null: not all here. */
function framedBody(
  { text, at, ended, minor }: Behind,
  codings: readonly string[],
  lengths: readonly string[],
): Framed | "junk" | null {
  if (codings.length > 0) {
    if (minor === "0" || codings.length > 1 || codings[0]!.toLowerCase() !== "chunked") {
      return "junk";
    }
    return chunkedBody(text, at);
  }
  if (lengths.length > 0) {
    if (lengths.length > 1 || !/^\d{1,19}$/.test(lengths[0]!)) return "junk";
    const size = at + Number(lengths[0]);
    return size > text.length ? null : { size, body: text.slice(at, size) };
  }
  return ended ? { size: text.length, body: text.slice(at) } : null;
}

function chunkedBody(text: string, start: number): Framed | "junk" | null {
  let body = "";
  for (let at = start; ;) {
    const line = match(SIZE, text, at);
    if (line === null) return text.indexOf("\r\n", at) < 0 ? null : "junk";
    at += line[0].length;
    const size = Number.parseInt(line[1]!, 16);
    if (size === 0) {
      const trailers = match(TRAILERS, text, at);
      if (trailers === null) return text.indexOf("\r\n\r\n", at - 2) < 0 ? null : "junk";
      return { size: at + trailers[0].length, body };
    }
    if (text.length < at + size + 2) return null;
    if (text.slice(at + size, at + size + 2) !== "\r\n") return "junk";
    body += text.slice(at, at + size);
    at += size + 2;
  }
}

function match(pattern: RegExp, text: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at;
  return pattern.exec(text);
}

function valuesIn(lines: string, name: string): string[] {
  return lines
    .split("\r\n")
    .filter((line) => line.slice(0, line.indexOf(":")).toLowerCase() === name)
    .map((line) => line.slice(name.length + 1).replace(/^[ \t]+|[ \t]+$/g, ""));
}
