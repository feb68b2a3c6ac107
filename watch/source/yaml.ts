/** Manifests as people write them: YAML or JSON text to objects, document by document. */
import type { Finding } from "../finding.ts";
import { isFields, type KubeObject, readObject } from "../objects.ts";

/** Where a document starts; YAML allows these characters there and nowhere else in a line. */
const MARK = /^---(?=\s|$)/;
/** The end of a document, which needs no new one after it. */
const END = /^\.\.\.(?=\s|$)/;
/** A line that holds nothing of a document: blank, a comment, or a directive before its start. */
const EMPTY = /^(\s*(#.*)?|%.*)$/;
/** A key of the outermost mapping, as objects of the API have them. */
const KEY = /^([A-Za-z]+):(?=\s|$)/;
const BETWEEN = "put a line --- between two objects";
const BYTE_ORDER_MARK = "\ufeff";
/** How far after a line that does not parse its end is looked for. */
const LOOK_AHEAD_LINES = 50;

/** What one text holds. `broken` is true when some object in it could not be read at all. */
export type Manifest = Readonly<{
  objects: readonly KubeObject[];
  findings: readonly Finding[];
  broken: boolean;
}>;

/** `startLine`: the number of the first of `lines`; `firstLine`: of the first with content. */
type Document = Readonly<{ lines: readonly string[]; startLine: number; firstLine: number }>;
type Parsed = Readonly<{ ok: true; value: unknown } | { ok: false; reason: string }>;
type Draft = { objects: KubeObject[]; findings: Finding[]; broken: boolean };

/**
 * Reads all documents of a text, lists included. A document that does not parse hides no other
 * one. `file` is how findings call the text; by it, `….json` is read as strict JSON.
 */
export function readManifest(text: string, file: string): Manifest {
  const draft: Draft = { objects: [], findings: [], broken: false };
  const json = file.endsWith(".json");
  const parse = json ? parseJson : parseYaml;
  const documents = json ? whole(text) : split(text);
  for (const [index, document] of documents.entries()) {
    const parsed = parse(document.lines.join("\n"));
    const name = `${file} document ${index + 1}`;
    const twice = json ? null : repeatedKey(document);
    if (!parsed.ok) {
      const line = json ? null : failingLine(document);
      fail(draft, { file, index, line, reason: `does not parse: ${parsed.reason}`, hint: "" });
    } else if (twice !== null) {
      const reason = `has ${twice.key} twice`;
      fail(draft, { file, index, line: twice.line, reason, hint: BETWEEN });
    } else readDocument(parsed.value, `${name}, line ${document.firstLine}`, draft);
  }
  return draft;
}

function readDocument(value: unknown, place: string, draft: Draft): void {
  if (value === null || value === undefined) return;
  const items = isFields(value) ? value["items"] : undefined;
  const kind = isFields(value) ? value["kind"] : undefined;
  // `kubectl get ingress -o yaml` gives a List, the API server an IngressList.
  const list = typeof kind === "string" && kind.endsWith("List") && Array.isArray(items);
  if (!list) return readOne(value, place, draft);
  for (const [index, item] of items.entries()) readOne(item, `${place}, item ${index + 1}`, draft);
}

function readOne(value: unknown, place: string, draft: Draft): void {
  const { object, findings } = readObject(value, place);
  draft.findings.push(...findings);
  if (object !== null) draft.objects.push(object);
  else if (findings.some((finding) => finding.level === "error")) draft.broken = true;
}

function fail(
  draft: Draft,
  what: Readonly<{
    file: string;
    index: number;
    line: number | null;
    reason: string;
    hint: string;
  }>,
): void {
  const where = what.line === null ? "" : `, line ${what.line}`;
  draft.broken = true;
  draft.findings.push({
    level: "error",
    kind: "File",
    namespace: "",
    name: what.file,
    field: `document ${what.index + 1}${where}`,
    reason: what.reason,
    hint: what.hint,
    effect: "the objects in this document are not read",
  });
}

/**
 * A key that stands twice at the outermost level, with the line of the second one. Files put
 * together without a line between them look like that; the parser would mix their objects.
 */
function repeatedKey(document: Document): Readonly<{ key: string; line: number }> | null {
  const known = new Set<string>();
  for (const [index, line] of document.lines.entries()) {
    const key = KEY.exec(line)?.[1];
    if (key !== undefined && known.has(key)) return { key, line: document.startLine + index };
    if (key !== undefined) known.add(key);
  }
  return null;
}

/** Documents with something in them, each with the number of its first line that says something. */
function split(text: string): readonly Document[] {
  const lines = withoutMark(text).split("\n");
  const documents: Document[] = [];
  let start = 0;
  let first = -1;
  const close = (end: number): void => {
    const own = { lines: lines.slice(start, end), startLine: start + 1, firstLine: first + 1 };
    if (first >= 0) documents.push(own);
    start = end;
    first = -1;
  };
  for (const [index, line] of lines.entries()) {
    if (MARK.test(line)) {
      // Directives above the mark go with what ends here: nothing in a manifest depends on them.
      close(index);
      if (!EMPTY.test(line.slice(3))) first = index;
    } else if (END.test(line)) {
      close(index + 1);
    } else if (first < 0 && !EMPTY.test(line)) first = index;
  }
  close(lines.length);
  return documents;
}

function whole(text: string): readonly Document[] {
  const lines = withoutMark(text).split("\n");
  const first = lines.findIndex((line) => line.trim() !== "");
  return first < 0 ? [] : [{ lines, startLine: 1, firstLine: first + 1 }];
}

function withoutMark(text: string): string {
  return text.startsWith(BYTE_ORDER_MARK) ? text.slice(1) : text;
}

/**
 * The parser does not say where it stopped (the line of its error is the line of the call), so the
 * line is looked for: the first one after which no beginning of the document parses. In a flow
 * collection (`{` or `[` over several lines) that is the line where it opens.
 */
function failingLine(document: Document): number {
  const { lines } = document;
  const parses = (count: number): boolean => parseYaml(lines.slice(0, count).join("\n")).ok;
  let good = 0;
  let bad = lines.length;
  while (bad - good > 1) {
    const middle = (good + bad) >> 1;
    if (parses(middle)) good = middle;
    else bad = middle;
  }
  // Inside a text or a collection of several lines no beginning parses, although nothing is wrong.
  const end = Math.min(lines.length - 1, good + LOOK_AHEAD_LINES);
  for (let count = good + 2; count <= end; count++) if (parses(count)) good = count;
  while (good < lines.length - 1 && EMPTY.test(lines[good] ?? "")) good += 1;
  return document.startLine + good;
}

function parseYaml(text: string): Parsed {
  try {
    return { ok: true, value: Bun.YAML.parse(text) };
  } catch (error) {
    return { ok: false, reason: reasonOf(error) };
  }
}

function parseJson(text: string): Parsed {
  try {
    return { ok: true, value: JSON.parse(text) };
  } catch (error) {
    return { ok: false, reason: reasonOf(error) };
  }
}

/** `YAML Parse error: Unexpected token` → `unexpected token`. What it quotes could be a key. */
function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  const reason = text.replace(/^(YAML|JSON) Parse error: /, "").replace(/ ".*"/s, "");
  return `${reason.charAt(0).toLowerCase()}${reason.slice(1)}`;
}
