/**
 * The rules of CONTRIBUTING.md that a program can check, and a proof that each can fail.
 * tidy: words because it has to name them.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { layerFindings } from "./tidy/layers.ts";
import { scrub } from "./tidy/scrub.ts";
import { bodiesIn, sizeFindings } from "./tidy/sizes.ts";
import { parseSource, readSources, type Source } from "./tidy/source.ts";
import { unusedFindings } from "./tidy/unused.ts";
import { hotFindings, hotMissing, wordFindings } from "./tidy/words.ts";

const SOURCES = await readSources(`${import.meta.dir}/..`);

function clean(findings: readonly string[]): void {
  if (findings.length > 0) console.log(`\n${findings.join("\n")}`);
  assert.is(findings.length, 0, "printed above");
}

/** Files that exist only here: path, text, path, text … */
function files(...parts: readonly string[]): Source[] {
  const sources: Source[] = [];
  for (let i = 0; i < parts.length; i += 2) sources.push(parseSource(parts[i]!, parts[i + 1]!));
  return sources;
}

/** One rule against a table: the finding is expected to contain the text; "" expects none. */
type Case = readonly [text: string, finding: string];

function judge(rule: (source: Source) => readonly string[], path: string, cases: readonly Case[]) {
  for (const [text, finding] of cases) {
    const findings = rule(parseSource(path, text));
    if (finding === "") assert.equal(findings, [], text);
    else assert.ok(findings.join("\n").includes(finding), `${text}\n${findings.join("\n")}`);
  }
}

test("imports go downward and in no circle", () => clean(layerFindings(SOURCES)));
test("nothing is too long", () => clean(SOURCES.flatMap(sizeFindings)));
test("no banned words", () => clean(SOURCES.flatMap(wordFindings)));
test("hot code does nothing that allocates", () => {
  clean(SOURCES.flatMap(hotFindings));
  clean(hotMissing(SOURCES));
});
test("everything is used", () => clean(unusedFindings(SOURCES)));

test("an import upward, sideways, of a test or of a roomless file is found", () => {
  const cases: readonly (readonly [path: string, text: string, finding: string])[] = [
    [
      "core/model.ts",
      `import { a } from "./route/table.ts";`,
      "must not import core/route/table.ts",
    ],
    ["core/http1/head.ts", `import { a } from "../route/trie.ts";`, "must not import core/route"],
    [
      "core/upstream/pool.ts",
      `import { a } from "../downstream/tls.ts";`,
      "core/downstream/tls.ts",
    ],
    ["core/plane.ts", `import { a } from "../watch/loop.ts";`, "must not import watch/loop.ts"],
    ["core/supervisor.ts", `import { a } from "./worker.ts";`, "must not import core/worker.ts"],
    ["core/supervisor.ts", `import { a } from "./plane.ts";`, "must not import core/plane.ts"],
    ["core/dispatch.ts", `export { a } from "./plane.ts";`, "must not import core/plane.ts"],
    ["core/dispatch.ts", `const a = await import("./plane.ts");`, "must not import core/plane.ts"],
    ["watch/translate/a.ts", `import { a } from "../loop.ts";`, "must not import watch/loop.ts"],
    ["admin/api.ts", `import { a } from "../core/plane.ts";`, "must not import core/plane.ts"],
    ["cli/run.ts", `import { a } from "../rind.ts";`, "must not import rind.ts"],
    ["core/plane.ts", `import { a } from "../test/origin.ts";`, "must not import test/origin.ts"],
    ["core/misc.ts", "", "has no room"],
    ["other/a.ts", "", "has no room"],
    ["core/supervisor.ts", `import type { A } from "./worker.ts";`, ""],
    ["core/plane.ts", `import { a } from "./dispatch.ts";`, ""],
    ["core/route/test/a.ts", `import { a } from "../../plane.ts";`, ""],
  ];
  for (const [path, text, finding] of cases) {
    judge((source) => layerFindings([source]), path, [[text, finding]]);
  }
});

test("a circle is found", () => {
  const a = `import { b } from "./b.ts";`;
  const b = `import { c } from "./c.ts";`;
  const c = `import { a } from "./a.ts";`;
  const found = layerFindings(files("core/route/a.ts", a, "core/route/b.ts", b));
  assert.equal(found, []);
  const round = files("core/route/a.ts", a, "core/route/b.ts", b, "core/route/c.ts", c);
  const circle = "core/route/a.ts → core/route/b.ts → core/route/c.ts → core/route/a.ts";
  assert.equal(layerFindings(round), [`${circle}: a circle`]);
  const types = files("core/route/a.ts", a, "core/route/b.ts", a.replace("import", "import type"));
  assert.equal(layerFindings(types), []);
});

test("names and packages outside their fence are found", () => {
  const rule = (source: Source) => layerFindings([source]);
  judge(rule, "core/dispatch.ts", [
    ["Bun.listen({});", "Bun.listen belongs to core/downstream/listen.ts"],
    ["Bun.connect({});", "Bun.connect belongs to core/upstream/connect.ts"],
    ["Bun.serve({});", "Bun.serve belongs to admin/"],
    ["const a = process.env;", "process.env belongs to"],
    ["const a = Math.random();", "Math.random belongs to"],
    [`import * as k from "@kubernetes/client-node";`, "must not import @kubernetes/client-node"],
    ["// Bun.listen is elsewhere", ""],
  ]);
  const fast = `import fast from "fast-json-stringify";`;
  const twice = layerFindings(files("admin/a.ts", fast, "admin/b.ts", fast));
  assert.equal(twice, ["admin/a.ts, admin/b.ts: only one file imports fast-json-stringify"]);
});

test("what is too long is found, and an excuse is heard", () => {
  const body = (lines: number) => `function f() {\n${"  f();\n".repeat(lines)}}\n`;
  const wide = `const a = 1; // ${"x".repeat(100)}`;
  const many = "function f(a: number, b: Map<A, B>, c: C, d: D, e: E) {\n}\n";
  judge(sizeFindings, "core/plane.ts", [
    [wide, "116 characters, at most 100"],
    [`// tidy: line because it is a table\n${wide}`, ""],
    [body(49), "f: 51 lines, at most 50"],
    [body(48), ""],
    [`// tidy: function because it is one switch\n${body(60)}`, ""],
    ["// a\n".repeat(301), "301 lines, at most 300"],
    ["// a\n".repeat(300), ""],
    [many, "f: 5 parameters, at most 4"],
    [many.replace(", e: E", ""), ""],
    [`\n${"\n".repeat(20)}// tidy: line because nobody reads this far down\n${wide}`, "characters"],
  ]);
  judge(sizeFindings, "core/test/plane.ts", [["// a\n".repeat(301), ""]]);
  judge(sizeFindings, "core/http1/test/head.cases.ts", [[wide, ""]]);
});

test("functions are recognised, and only functions", () => {
  const code = scrub(`
    export async function one<T>(a: T, b = { c: 1 }): Promise<Map<string, T>> { if (a) { b(); } }
    class Two extends Three { constructor() { super(); } #four(a: A, b: B): void { for (;;) {} } }
    const five = (a: number) => { return { a }; };
    const six = { seven(a) { switch (a) { case 1: { break; } default: { } } }, eight: { a: 1 } };
    type Nine = { ten(): void; eleven: (a: number) => number };
    try { five(1); } catch (error) { five(2); } finally { five(3); }
    list.map((item) => { return item; });
  `);
  const names = bodiesIn(code).map(({ name, parameters }) => `${name}/${parameters}`);
  assert.equal(names, ["one/2", "constructor/0", "#four/2", "five/1", "seven/1", "=>/1"]);
});

test("code is told from comments, strings, templates and regular expressions", () => {
  const cases: readonly (readonly [string, string])[] = [
    [`a("b // c"); // d`, `a("      ");     `],
    [`a('it\\'s');`, `a('     ');`],
    ["a(`b ${c(`d`)} e`);", "a(`  ${c(` `)}  `);"],
    ["a(`b ${ {c: 1} } e`);", "a(`  ${ {c: 1} }  `);"],
    [`a = b / c / d;`, `a = b / c / d;`],
    [`a(/[/"]b/g, "c");`, `a(\u0001       , " ");`],
    [`return /"/;`, `return \u0001  ;`],
    [`/* a\n b */c`, `    \n     c`],
  ];
  for (const [text, code] of cases) assert.is(scrub(text), code);
});

test("banned words are found", () => {
  judge(wordFindings, "core/plane.ts", [
    ["// TODO: later", "TODO"],
    ["// FIXME", "FIXME"],
    ["// @ts-ignore", "@ts-ignore"],
    ["const a = b as any;", "write unknown"],
    ["const a: any[] = [];", "write unknown"],
    ["test.only(() => 1);", "run the one file"],
    ["try { a(); } catch {}", "translate the error"],
    ["try { a(); } catch (error) { /* nothing */ }", "translate the error"],
    ["enum A { B }", "a union"],
    ["export default 1;", "a named export"],
    ["class A<T> extends B {}", "no inheritance"],
    ["class A {\n  private b = 1;\n}", "#private"],
    ["console.log(1);", "core/log.ts"],
    [`throw new Error("a");`, "a value"],
    ["try { a(); } catch (error) { b(); throw error; }", ""],
    [`const a = "enum B {"; // any as any`, ""],
    ["try { a(); } catch { return null; }", ""],
  ]);
  judge(wordFindings, "scripts/a.mjs", [[`throw new Error("a");`, ""]]);
});

test("what allocates is found in hot parts only", () => {
  const hot = (code: string) => `// === hot ===\nfunction f() {\n  ${code}\n}\n// === cold ===\n`;
  judge(hotFindings, "core/route/a.ts", [
    [hot("await a();"), "await"],
    [hot("a(() => 1);"), "=>"],
    [hot("a(...b);"), "..."],
    [hot("a.test(/b/);"), "/…/"],
    [hot("a(`b`);"), "bytes"],
    [hot(`a("b" + c);`), "bytes"],
    [hot("a.map(b);"), ".map("],
    [hot("for (const a of b) {}"), "for (const a of"],
    [hot("for (let i = 0; i < n; i++) a(i); // a => `b`"), ""],
    ["const a = b.map((c) => `c`);", ""],
    [`${hot("a();")}const a = b.map((c) => c);`, ""],
    [hot("a(() => 1);").replace("hot", "hot: one way"), "=>"],
  ]);
  const unmarked = files("core/route/trie.ts", "// nothing is marked\n");
  assert.ok(hotMissing(unmarked).join("\n").includes("core/route/trie.ts: on the hot path"));
  const marked = files("core/route/trie.ts", hot("a();"));
  assert.not.ok(hotMissing(marked).join("\n").includes("core/route/trie.ts"));
});

test("dead files and dead exports are found", () => {
  const user = `import { a, type B } from "./a.ts";`;
  const used = `export const a = 1;\nexport type B = 1;\nexport type C = B;\ntype D = C;`;
  assert.equal(unusedFindings(files("rind.ts", user, "a.ts", used)), []);
  const more = `${used}\nexport function e() {}\nexport type F = 1;`;
  assert.equal(unusedFindings(files("rind.ts", user, "a.ts", more)), [
    "a.ts: nobody imports e",
    "a.ts: nobody imports F",
  ]);
  assert.equal(unusedFindings(files("core/b.ts", "")), ["core/b.ts: nobody imports it"]);
  assert.equal(unusedFindings(files("core/test/b.ts", "")), ["core/test/b.ts: nobody imports it"]);
  assert.equal(unusedFindings(files("core/test/b.ts", `import { test } from "uvu";\n`)), []);
});

for (const { path, excused } of SOURCES) {
  for (const [rule, why] of excused) console.log(`note: ${path} is excused from ${rule}: ${why}`);
}

test.run();
