/** Files that nobody imports and exports that nobody names. */
import { isTest, type Source } from "./source.ts";

/** Started by people, npm scripts or the test runner. */
const ENTRIES = [
  /^rind\.ts$/,
  /^k8s\/generate\.ts$/,
  /^test\/(run|fuzz)\.ts$/,
  /^bench\/\w+\.ts$/,
  /^scripts\/\w+\.mjs$/,
]
  // What runs in Node.
  .concat(/^test\/fuzz\/strict\.mjs$/)
  // What rind is made hasty with.
  .concat(/^test\/faults\/haste\.ts$/)
  // Who starts an API server, and who runs inside its network.
  .concat(/^test\/cluster\/(run|inside)\.ts$/);
/** How the test runner tells a test from what supports it. */
const TEST_FILE = /^import .* from "uvu";$/m;

/**
 * Dead files, then dead exports. What only a test imports counts as used, and so does a type that
 * its own file mentions: it is part of what the file exports.
 */
export function unusedFindings(sources: readonly Source[]): string[] {
  const used = usedNames(sources);
  return sources.flatMap(({ path, text, code, exports, types, excused }) => {
    const names = used.get(path);
    const entry = ENTRIES.some((pattern) => pattern.test(path));
    if (names === undefined && !entry && !(isTest(path) && TEST_FILE.test(text))) {
      return [`${path}: nobody imports it`];
    }
    if (excused.has("exports") || names?.has("*") === true) return [];
    return exports
      .filter((name) => names?.has(name) !== true)
      .filter((name) => !(types.has(name) && mentions(code, name) > 1))
      .map((name) => `${path}: nobody imports ${name}`);
  });
}

function mentions(code: string, name: string): number {
  return [...code.matchAll(new RegExp(`\\b${name}\\b`, "g"))].length;
}

/** For each file that is imported, the names others take from it; `*` when it may be all. */
function usedNames(sources: readonly Source[]): Map<string, Set<string>> {
  const used = new Map<string, Set<string>>();
  for (const { target, local, names } of sources.flatMap(({ imports }) => imports)) {
    if (!local) continue;
    const known = used.get(target) ?? new Set<string>();
    for (const name of names ?? ["*"]) known.add(name);
    used.set(target, known);
  }
  return used;
}
