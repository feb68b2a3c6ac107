/**
 * Words that do not belong into the source, and what the hot path must not do.
 * tidy: words because it has to name them.
 */
import { REGEX_MARK } from "./scrub.ts";
import { isTest, type Source } from "./source.ts";

type Ban = Readonly<{ pattern: RegExp; instead: string }>;

/** Searched in the whole text, comments included. */
const IN_TEXT: readonly Ban[] = [
  { pattern: /\b(?:TODO|FIXME|XXX|HACK)\b/, instead: "do it, or open an issue" },
  { pattern: /@ts-(?:ignore|nocheck)\b/, instead: "@ts-expect-error with the reason" },
];

/** Searched in code only. */
const IN_CODE: readonly Ban[] = [
  { pattern: /(?:\bas|[:<|])\s*any\b/, instead: "unknown, or the real type" },
  { pattern: /\.only\(/, instead: "run the one file" },
  { pattern: /\bcatch\s*(?:\([^)]*\))?\s*\{\s*\}/, instead: "translate the error at once" },
  { pattern: /\benum\s+\w+\s*\{/, instead: "a union of strings, or integer constants" },
  { pattern: /\bexport default\b/, instead: "a named export" },
  { pattern: /\bclass\s+\w+[^{]*\sextends\b/, instead: "a field; there is no inheritance here" },
  { pattern: /^\s*(?:private|protected|public)\s/m, instead: "#private" },
  { pattern: /\bdebugger\b/, instead: "nothing" },
];

/** Searched in the code of both planes. */
const IN_PLANES: readonly Ban[] = [
  { pattern: /\bconsole\./, instead: "core/log.ts" },
  // What was caught may go on its way.
  { pattern: /\bthrow\b(?! error;)/, instead: "a value, a finding, a fault, or assert" },
];
const MAY_THROW = ["core/assert.ts"];

/** Each costs an allocation, or hides one. */
const IN_HOT: readonly Ban[] = [
  { pattern: /\basync\b|\bawait\b|\bPromise\b/, instead: "a state and a callback" },
  { pattern: /=>/, instead: "a named function" },
  { pattern: /\.\.\./, instead: "a loop" },
  { pattern: new RegExp(REGEX_MARK), instead: "a byte table" },
  { pattern: /`|["'] *\+|\+ *["']/, instead: "bytes" },
  { pattern: /\.(?:map|filter|forEach|reduce|slice|split|concat|bind)\(/, instead: "a loop" },
  { pattern: /\bfor\s*\(\s*(?:const|let)\s+[^;)]+\s(?:of|in)\s/, instead: "a loop over length" },
  { pattern: /\barguments\b/, instead: "parameters" },
  { pattern: /\bJSON\./, instead: "bytes" },
];

/**
 * Files of the hot path: each must mark its hot parts, from a line `// === hot ===` to
 * `// === cold ===` or its end. Any other file may mark some too.
 */
const HOT: readonly string[] = [
  "core/dispatch.ts",
  "core/downstream/connection.ts",
  "core/http1/body.ts",
  "core/http1/fields.ts",
  "core/http1/request.ts",
  "core/http1/response.ts",
  "core/http1/write.ts",
  "core/route/hosts.ts",
  "core/route/match.ts",
  "core/route/split.ts",
  "core/route/table.ts",
  "core/route/trie.ts",
  "core/upstream/connection.ts",
  "core/upstream/picker.ts",
];
const BANNER = /^\s*\/\/ === (hot|cold)(?::.*)? ===$/;

/** Banned words of one file, with their lines and what to write instead. */
export function wordFindings(source: Source): string[] {
  const { path, text, code, excused } = source;
  if (excused.has("words")) return [];
  const bans = [...IN_CODE];
  const inPlanes = /^(?:core|watch|admin|rollout)\//.test(path) && !isTest(path);
  if (inPlanes && !MAY_THROW.includes(path)) bans.push(...IN_PLANES);
  return [...search(path, text, IN_TEXT), ...search(path, code, bans)];
}

/** What the hot parts of a file do that they must not. */
export function hotFindings(source: Source): string[] {
  const { path, text, code, excused } = source;
  if (excused.has("hot") || isTest(path)) return [];
  const banners = text.split("\n").map((line) => BANNER.exec(line)?.[1]);
  let hot = false;
  const lines = code.split("\n").map((line, i) => {
    hot = banners[i] === undefined ? hot : banners[i] === "hot";
    return hot && !/^\s*(?:export )?(?:type|import)\b/.test(line) ? line : "";
  });
  return search(path, lines.join("\n"), IN_HOT);
}

/** Hot files without a hot part: the list must not promise what nobody checks. */
export function hotMissing(sources: readonly Source[]): string[] {
  const marked = sources.filter(({ text }) => text.split("\n").some((line) => isHot(line)));
  return HOT.filter((path) => !marked.some((source) => source.path === path)).map(
    (path) => `${path}: on the hot path, but no line says // === hot ===`,
  );
}

function isHot(line: string): boolean {
  return BANNER.exec(line)?.[1] === "hot";
}

function search(path: string, text: string, bans: readonly Ban[]): string[] {
  return bans.flatMap(({ pattern, instead }) => {
    const flags = pattern.flags.includes("m") ? "gm" : "g";
    return [...text.matchAll(new RegExp(pattern.source, flags))].map((found) => {
      const line = text.slice(0, found.index).split("\n").length;
      const word = found[0].replace(REGEX_MARK, "/…/").trim().replace(/\s+/g, " ");
      return `${path}:${line}: ${word}: write ${instead}`;
    });
  });
}
