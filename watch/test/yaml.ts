import { test } from "uvu";
import * as assert from "uvu/assert";
import { readManifest } from "../source/yaml.ts";

const A = "apiVersion: v1\nkind: Service\nmetadata: {name: a}\n";
const B = "apiVersion: v1\nkind: Service\nmetadata: {name: b}\n";
const LIST = `apiVersion: v1\nkind: List\nitems:
- {apiVersion: v1, kind: Service, metadata: {name: a}}
- {apiVersion: v1, kind: ConfigMap}\n- {apiVersion: v1, kind: Service, metadata: {name: b}}\n`;

/** Texts and the names of the objects that are read from them, without any finding. */
const GOOD: readonly [name: string, text: string, names: string][] = [
  ["nothing", "", ""],
  ["comments", "# nothing\n\n# here\n", ""],
  ["one document", A, "a"],
  ["two documents", `${A}---\n${B}`, "a b"],
  ["a mark at both ends", `---\n${A}---\n${B}---\n`, "a b"],
  ["empty documents between", `---\n---\n# none\n---\n${A}---\n\n---\n${B}`, "a b"],
  ["a comment behind the mark", `--- # first\n${A}--- # second\n${B}`, "a b"],
  ["an object behind the mark", `--- ${JSON.stringify({ apiVersion: "v1", kind: "X" })}\n`, ""],
  ["directives", `%YAML 1.2\n---\n${A}...\n%YAML 1.2\n---\n${B}`, "a b"],
  ["an end without a new start", `${A}...\n${B}`, "a b"],
  ["windows", `${A}---\n${B}`.replaceAll("\n", "\r\n"), "a b"],
  ["a byte order mark", `\ufeff---\n${A}`, "a"],
  ["dashes inside a text", `${A}x: |\n  --- no mark\n  ---\n---\n${B}`, "a b"],
  ["dashes in a word", `${A}---x: 1\n`, "a"],
  ["a list", LIST, "a b"],
  ["a key again, deeper and in a text", `${A}x:\n  kind: y\nz: |\n  kind: y\n`, "a"],
  ["anchors", `x: &m {name: a}\napiVersion: v1\nkind: Service\nmetadata: *m\n`, "a"],
];

for (const [name, text, names] of GOOD) {
  test(`${name} is read`, () => {
    const { objects, findings, broken } = readManifest(text, "x.yaml");
    assert.equal(findings, []);
    assert.is(broken, false);
    assert.is(objects.map(({ metadata }) => metadata.name).join(" "), names);
  });
}

/** Texts, where the finding has to point at, and the objects that are read all the same. */
const BROKEN: readonly [name: string, text: string, field: string, names: string][] = [
  ["a bad indentation", "a:\n  b: 1\n c: 2\n", "document 1, line 3", ""],
  ["two colons", `${A}---\na: 1\nb: c: d\ne: 2\n---\n${B}`, "document 2, line 6", "a b"],
  ["a tab", `a:\n\tb: 1\n`, "document 1, line 2", ""],
  ["a text without an end", `${A}spec: "x\n`, "document 1, line 4", ""],
  ["a collection without an end", `a: 1\nb: [1,\n2\nc: 3\n`, "document 1, line 2", ""],
  [
    "an error behind a long text",
    `a: |\n${"  x\n".repeat(90)}b: c: d\n`,
    "document 1, line 92",
    "",
  ],
  ["an error behind a list", `a: [\n${"  1,\n".repeat(20)}]\nb: c: d\n`, "document 1, line 23", ""],
  ["an unknown alias", `a: 1\nb: *nobody\n`, "document 1, line 2", ""],
  ["a template", `a: 1\n{{ if .x }}\nb: 2\n`, "document 1, line 2", ""],
  ["blank lines before it", `a: 1\n\n# here\n\nb: c: d\n`, "document 1, line 5", ""],
  ["the only line", "a: b: c", "document 1, line 1", ""],
  ["two objects without a mark between", `---\n${A}${B}---\n${B}`, "document 1, line 5", "b"],
];

for (const [name, text, field, names] of BROKEN) {
  test(`${name} is found where it is`, () => {
    const { objects, findings, broken } = readManifest(text, "x.yaml");
    assert.is(broken, true);
    assert.equal(
      findings.map((finding) => [finding.level, finding.kind, finding.name, finding.field]),
      [["error", "File", "x.yaml", field]],
    );
    assert.is(objects.map(({ metadata }) => metadata.name).join(" "), names);
  });
}

test("a finding on an object says where the object stands", () => {
  const text = `${A}---\n\n# the bad one\napiVersion: v1\nkind: Service\nmetadata: {}\n`;
  const { findings, broken } = readManifest(text, "x.yaml");
  assert.is(broken, true);
  assert.match(findings[0]?.reason ?? "", /\(x\.yaml document 2, line 7\)$/);
  const item = "kind: List\napiVersion: v1\nitems: [{apiVersion: v1, kind: Service}]\n";
  const list = readManifest(item, "x.yaml");
  assert.match(list.findings[0]?.reason ?? "", /\(x\.yaml document 1, line 1, item 1\)$/);
});

test("what is no object is a warning, and no reason to distrust the file", () => {
  for (const text of ["- a\n- b\n", "just words\n", "replicas: 3\n", "kind: Service\n"]) {
    const { findings, broken } = readManifest(text, "values.yaml");
    assert.is(broken, false);
    assert.is(findings[0]?.level, "warning");
  }
});

test("JSON is read strictly, with everything it has", () => {
  const text = JSON.stringify(
    { apiVersion: "v1", kind: "Service", metadata: { name: "a" }, spec: "\u{1f9c0}\ttab" },
    null,
    "\t",
  );
  const { objects, findings } = readManifest(text, "a.json");
  assert.equal(findings, []);
  assert.is(objects[0]?.["spec"], "\u{1f9c0}\ttab");
  const broken = readManifest(`${text.slice(0, -1)},}`, "a.json");
  assert.is(broken.broken, true);
  assert.is(broken.findings[0]?.field, "document 1");
});

test("what does not parse is not quoted: it could be a key", () => {
  const key = "MIGHAgEAMBMGByqGSM49";
  const texts = [`{"stringData": {"tls.key": ${key}}}`, `{"stringData": {"tls.key": "${key}\n`];
  for (const file of ["a.json", "a.yaml"]) {
    for (const text of [...texts, `stringData: *${key}`, `stringData: "${key}`]) {
      const { findings } = readManifest(text, file);
      assert.not.match(JSON.stringify(findings), key);
    }
  }
});

test("aliases that explode are a finding, soon", () => {
  const names = "abcdefghij";
  const lines = [...names].map((name, index) => {
    const inner = index === 0 ? "ha" : `*${names[index - 1]}`;
    return `${name}: &${name} [${Array(9).fill(inner).join(", ")}]`;
  });
  const text = `${A}${lines.join("\n")}\n`;
  const { objects, findings, broken } = readManifest(`${text}---\n${B}`, "x.yaml");
  assert.is(broken, true);
  assert.is(findings[0]?.level, "error");
  assert.equal(
    objects.map(({ metadata }) => metadata.name),
    ["b"],
  );
});

test.run();
