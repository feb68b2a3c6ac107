/**
 * A model as text, for a file:
 *
 *     {"rind":"state", "format":1, …}     whose state it is
 *     ["host",{…}]  ["backend",{…}]  …    the model, a line each
 *     ["text","…"]                        what some of the lines behind it stand for by its number
 *     {"sha256":"…"}                      the sum of all before
 */
import type { Backend, Certificate, Model, SecureHost, VirtualHost } from "../core/model.ts";
import { Texts, swapBackend, swapHost, textIn } from "../core/parcel.ts";
import { isFields } from "./objects.ts";

/** Grows with every change of what the lines look like. */
export const FORMAT = 3;
/** Given at once, in UTF-16 units, or little more. */
const PIECE = 256 * 1_024;

/** Whose state it is; that of anybody else is of no use. */
export type Header = Readonly<{
  rind: string;
  format: number;
  release: string;
  cluster: string;
  settings: string;
}>;

type Parsed = Readonly<{ ok: true; value: Model }> | Readonly<{ ok: false; reason: string }>;

/** Header and model as text, all but the sum; a few milliseconds' worth at a time. */
export function* piecesOf(header: Header, model: Model): Iterable<string> {
  let text = `${JSON.stringify(header)}\n`;
  for (const line of linesOf(model)) {
    text += `${line}\n`;
    if (text.length < PIECE) continue;
    yield text;
    text = "";
  }
  yield text;
}

function* linesOf(model: Model): Iterable<string> {
  const texts = new Texts();
  let told = 0;
  const lines = function* (kind: string, thing: unknown): Iterable<string> {
    for (; told < texts.list.length; told++) yield JSON.stringify(["text", texts.list[told]]);
    yield JSON.stringify([kind, thing]);
  };
  for (const host of model.hosts) yield* lines("host", host);
  for (const backend of model.backends) yield* lines("backend", swapBackend(backend, texts.put));
  for (const pair of model.certificates) yield* lines("certificate", pair);
  for (const host of model.secure) yield* lines("secure", swapHost(host, texts.put));
}

/**
 * Reads the whole text. The sum is looked at first: what it vouches for is what was written, so
 * that, of the same release, nothing else need be.
 */
export function parseState(text: string, expected: Header): Parsed {
  const end = text.lastIndexOf("\n", text.length - 2) + 1;
  const trailer = readJson(text.slice(end));
  const sum = new Bun.CryptoHasher("sha256").update(text.slice(0, end)).digest("hex");
  if (!isFields(trailer) || trailer["sha256"] !== sum) return refuse("it is damaged");
  const [first = "", ...lines] = text.slice(0, end - 1).split("\n");
  const header = readJson(first);
  if (!isFields(header) || header["rind"] !== expected.rind)
    return refuse("it is no state of rind");
  const { format, release, cluster, settings } = expected;
  if (header["format"] !== format || header["release"] !== release) {
    return refuse(`another version of rind saved it: ${String(header["release"])}`);
  }
  if (header["cluster"] !== cluster) {
    return refuse(`it is of another cluster: ${String(header["cluster"])}`);
  }
  if (header["settings"] !== settings) return refuse("it was made with other settings");
  return readModel(lines);
}

function readModel(lines: readonly string[]): Parsed {
  const hosts: VirtualHost[] = [];
  const backends: Backend[] = [];
  const certificates: Certificate[] = [];
  const secure: SecureHost[] = [];
  const texts: string[] = [];
  const lists: ReadonlyMap<unknown, unknown[]> = new Map<unknown, unknown[]>([
    ["host", hosts],
    ["backend", backends],
    ["certificate", certificates],
    ["secure", secure],
    ["text", texts],
  ]);
  for (const line of lines) {
    const entry = readJson(line);
    const list = Array.isArray(entry) ? lists.get(entry[0]) : undefined;
    if (!Array.isArray(entry) || list === undefined) return refuse("it is damaged");
    list.push(entry[1]);
  }
  const textOf = textIn(texts);
  const value = {
    version: 0,
    hosts,
    backends: backends.map((backend) => swapBackend(backend, textOf)),
    certificates,
    secure: secure.map((host) => swapHost(host, textOf)),
  };
  return { ok: true, value };
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    return error instanceof SyntaxError ? undefined : String(error);
  }
}

function refuse(reason: string): Parsed {
  return { ok: false, reason };
}
