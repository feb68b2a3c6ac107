/**
 * Label selectors as Kubernetes writes them on one line, equality and set based:
 *
 *     team = shop, env in (test, live), tier != db, !legacy, canary
 *
 * All requirements must hold; an empty selector takes everything (labels.Parse of apimachinery,
 * without its `<` and `>`).
 */
import { type Parsed, quote } from "./read.ts";

/** Longest selector, in characters, and longest part of a name or value (API validation). */
const SELECTOR_MAX = 4_096;
const PART_MAX = 63;
const PREFIX_MAX = 253;

const PART = /^[A-Za-z0-9]([\w.-]*[A-Za-z0-9])?$/;
const PREFIX = /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/;
/** One token after any white space: an operator, a bracket, a comma, or a word. */
const TOKEN = /\s*(==|!=|[=!(),]|[^\s=!(),]+)/y;

/**
 * `in`: the label is there and has one of the values. `notin`: it is not there, or has none of
 * them. `exists` and `absent`: whether it is there.
 */
type Requirement = Readonly<{
  key: string;
  kind: "in" | "notin" | "exists" | "absent";
  values: readonly string[];
}>;

/** What labels must be like: every requirement holds. */
export type Selector = readonly Requirement[];

type Token = Readonly<{ text: string; at: number }>;
type Failed = Readonly<{ ok: false; reason: string }>;

/** Reads a selector. The reason of a failure says where (from 1) and what was expected there. */
export function parseSelector(raw: string): Parsed<Selector> {
  if (raw.length > SELECTOR_MAX) {
    return { ok: false, reason: `is longer than ${SELECTOR_MAX} characters` };
  }
  const tokens = tokenize(raw);
  const requirements: Requirement[] = [];
  if (tokens[0]?.text === "") return { ok: true, value: requirements };
  let i = 0;
  for (;;) {
    const read = readRequirement(tokens, i);
    if (!read.ok) return read;
    requirements.push(read.requirement);
    i = read.next;
    const after = tokenAt(tokens, i);
    if (after.text === "") return { ok: true, value: requirements };
    if (after.text !== ",") return expected("a comma or the end", after);
    i += 1;
  }
}

/** Whether labels are what the selector asks for. */
export function selects(selector: Selector, labels: ReadonlyMap<string, string>): boolean {
  return selector.every(({ key, kind, values }) => {
    const value = labels.get(key);
    if (kind === "exists") return value !== undefined;
    if (kind === "absent") return value === undefined;
    return (value !== undefined && values.includes(value)) === (kind === "in");
  });
}

/** The tokens, and an empty one for the end. */
function tokenize(raw: string): readonly Token[] {
  const tokens: Token[] = [];
  TOKEN.lastIndex = 0;
  for (let match = TOKEN.exec(raw); match !== null; match = TOKEN.exec(raw)) {
    const text = match[1] ?? "";
    tokens.push({ text, at: TOKEN.lastIndex - text.length + 1 });
  }
  tokens.push({ text: "", at: raw.length + 1 });
  return tokens;
}

type Read = Readonly<{ ok: true; requirement: Requirement; next: number }> | Failed;

function readRequirement(tokens: readonly Token[], from: number): Read {
  const negated = tokenAt(tokens, from).text === "!";
  const name = tokenAt(tokens, negated ? from + 1 : from);
  if (!isKey(name.text)) return expected("the name of a label", name);
  const at = from + (negated ? 2 : 1);
  const { text } = tokenAt(tokens, at);
  const made = (kind: Requirement["kind"], values: readonly string[], next: number): Read => {
    return { ok: true, requirement: { key: name.text, kind, values }, next };
  };
  if (negated) return made("absent", [], at);
  if (text === "" || text === ",") return made("exists", [], at);
  if (text === "=" || text === "==" || text === "!=") {
    // `a=` asks for the empty value.
    const value = tokenAt(tokens, at + 1);
    const empty = value.text === "" || value.text === ",";
    if (!empty && !isPart(value.text)) return expected("the value of a label", value);
    const values = [empty ? "" : value.text];
    return made(text === "!=" ? "notin" : "in", values, at + (empty ? 1 : 2));
  }
  if (text !== "in" && text !== "notin") {
    return expected("=, ==, !=, in or notin", tokenAt(tokens, at));
  }
  const set = readSet(tokens, at + 1);
  return set.ok ? made(text, set.values, set.next) : set;
}

type ReadSet = Readonly<{ ok: true; values: readonly string[]; next: number }> | Failed;

/** `(a, b)`; between two commas there is the empty value, as in the API server's own reading. */
function readSet(tokens: readonly Token[], from: number): ReadSet {
  const open = tokenAt(tokens, from);
  if (open.text !== "(") return expected("( and values", open);
  const values: string[] = [];
  for (let i = from + 1; ; i++) {
    const token = tokenAt(tokens, i);
    const empty = token.text === "," || token.text === ")";
    if (!empty && !isPart(token.text)) return expected("a value or )", token);
    values.push(empty ? "" : token.text);
    if (!empty) i += 1;
    const after = tokenAt(tokens, i);
    if (after.text === ")") return { ok: true, values, next: i + 1 };
    if (after.text !== ",") return expected("a comma or )", after);
  }
}

function tokenAt(tokens: readonly Token[], i: number): Token {
  return tokens[Math.min(i, tokens.length - 1)] ?? { text: "", at: 1 };
}

function isKey(text: string): boolean {
  const slash = text.indexOf("/");
  const prefix = slash < 0 ? "a" : text.slice(0, slash);
  return PREFIX.test(prefix) && prefix.length <= PREFIX_MAX && isPart(text.slice(slash + 1));
}

function isPart(text: string): boolean {
  return text.length <= PART_MAX && PART.test(text);
}

function expected(wanted: string, found: Token): Failed {
  const shown = found.text === "" ? "the end" : quote(found.text);
  return { ok: false, reason: `at character ${found.at}: expected ${wanted}, found ${shown}` };
}
