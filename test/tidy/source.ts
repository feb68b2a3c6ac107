/** The source files as the rules see them: text, code without its comments, imports and exports. */
import { posix } from "node:path";
import { scrub } from "./scrub.ts";

/** One import or re-export. `names` is null when all of the module may be used. */
export type Import = Readonly<{
  /** The file in the repository, or the package as written. */
  target: string;
  local: boolean;
  typeOnly: boolean;
  names: readonly string[] | null;
}>;

export type Source = Readonly<{
  path: string;
  text: string;
  /** `text` without comments and what strings contain; same offsets. */
  code: string;
  imports: readonly Import[];
  exports: readonly string[];
  /** Those of `exports` that exist for the type checker only. */
  types: ReadonlySet<string>;
  /** Rules the file is excused from, with the reason its opening comment gives. */
  excused: ReadonlyMap<string, string>;
}>;

const FROM = /\b(?:import|export)\s+(type\s+)?([\w*{][^"';()=]*?)\s+from\s*"( *)"/dg;
const BARE = /\bimport\s*\(?\s*"( *)"/dg;
const EXPORT =
  /^export\s+(?:declare\s+)?(?:async\s+)?(const|let|function\*?|class|type|interface)\s+(\w+)/gm;
const EXCUSE = /tidy: (\w+) because ([^\n]+)/g;
/** An excuse is read where a reader sees it: in the first lines. */
const EXCUSE_LINES_MAX = 12;

/** Everything the rules judge in a checkout; node_modules and hidden folders are not read. */
export async function readSources(root: string): Promise<Source[]> {
  const sources: Source[] = [];
  for await (const path of new Bun.Glob("**/*.{ts,mjs}").scan({ cwd: root })) {
    if (path.includes("node_modules/") || path.startsWith("bench/out/")) continue;
    sources.push(parseSource(path, await Bun.file(`${root}/${path}`).text()));
  }
  return sources.sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** One file, also one that exists only in a test. */
export function parseSource(path: string, text: string): Source {
  const code = scrub(text);
  const exported = [...code.matchAll(EXPORT)].map((found) => [found[1]!, found[2]!] as const);
  const types = exported.filter(([kind]) => kind === "type" || kind === "interface");
  const top = text.split("\n", EXCUSE_LINES_MAX).join("\n");
  return {
    path,
    text,
    code,
    imports: importsOf(path, text, code),
    exports: exported.map(([, name]) => name),
    types: new Set(types.map(([, name]) => name)),
    excused: new Map([...top.matchAll(EXCUSE)].map((found) => [found[1]!, found[2]!])),
  };
}

/** Test files and what supports them: they may import anything, and nobody else may import them. */
export function isTest(path: string): boolean {
  return path.startsWith("test/") || path.includes("/test/");
}

function importsOf(path: string, text: string, code: string): Import[] {
  const imports: Import[] = [];
  for (const found of code.matchAll(FROM)) {
    const names = namesIn(found[2]!);
    const [start, end] = found.indices![3]!;
    imports.push(importOf(path, text.slice(start, end), found[1] !== undefined, names));
  }
  for (const found of code.matchAll(BARE)) {
    const [start, end] = found.indices![1]!;
    imports.push(importOf(path, text.slice(start, end), false, null));
  }
  return imports;
}

function importOf(
  path: string,
  specifier: string,
  typeOnly: boolean,
  names: readonly string[] | null,
): Import {
  const local = specifier.startsWith(".");
  const target = local ? posix.join(posix.dirname(path), specifier) : specifier;
  return { target, local, typeOnly, names };
}

/** `{ a, type b as c }` → a, b; a default import or a namespace may use everything. */
function namesIn(clause: string): string[] | null {
  const braces = /^\{([^}]*)\}$/.exec(clause.trim());
  if (braces === null) return null;
  return braces[1]!
    .split(",")
    .map((name) =>
      name
        .trim()
        .replace(/^type\s+/, "")
        .replace(/\s+as\s+.*$/, ""),
    )
    .filter((name) => name !== "");
}
