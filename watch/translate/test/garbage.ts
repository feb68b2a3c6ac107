/**
 * Objects in which anything may be anything: the manifests of the goldens, with values replaced,
 * left out and renamed. Nothing throws, no piece fails, a translator that has seen it all says what
 * a new one says, and the model survives JSON. SEED repeats a run, STEPS makes it longer.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { test } from "uvu";
import * as assert from "uvu/assert";

import { Random } from "../../../core/random.ts";
import { isFields, readObject } from "../../objects.ts";
import { Store } from "../../store.ts";
import type { TranslateOptions } from "../draft.ts";
import { translate } from "../translate.ts";
import { Translator } from "../translator.ts";
import { OPTIONS } from "./fixture/manifests.ts";

const STEPS = Number(process.env["STEPS"] ?? 3_000);
const SEED = Number(process.env["SEED"] ?? crypto.getRandomValues(new Int32Array(1))[0]!);
console.log(`seed ${SEED} (SEED=… repeats it)`);

const FOLDER = join(import.meta.dir, "golden");
const MANIFESTS: readonly unknown[] = readdirSync(FOLDER).flatMap((file) => {
  const [yaml = ""] = readFileSync(join(FOLDER, file), "utf8").split("\n=====\n");
  const parsed: unknown = Bun.YAML.parse(yaml);
  return Array.isArray(parsed) ? parsed : [parsed];
});

const WARY: TranslateOptions = {
  ...OPTIONS,
  allSecrets: false,
  externalNames: ["*"],
  addresses: { allowed: [], admin: [], apiServer: [] },
  namespaceSelector: [{ key: "team", kind: "notin", values: ["shop"] }],
};

/** Values that are wrong nearly everywhere. */
const JUNK: readonly unknown[] = [
  null,
  undefined,
  0,
  -0,
  -1,
  1.5,
  1e308,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  true,
  false,
  "",
  " ",
  "x",
  "x".repeat(300),
  "__proto__",
  "constructor",
  "\u0000",
  "\ud800",
  "é/../%2f",
  "*",
  "::1",
  "{a: 1",
  "a: &a [*a]",
  [],
  [null],
  [[]],
  {},
  { length: -1 },
  JSON.parse('{"__proto__":{"a":1},"constructor":5,"toString":1}'),
];

class Spoiler {
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  one<T>(choices: readonly T[]): T {
    return choices[this.#random.below(choices.length)]!;
  }

  /** A copy with about one value in `of` being wrong. */
  spoil(value: unknown, of: number): unknown {
    if (this.#random.below(of) === 0) return this.one(JUNK);
    if (Array.isArray(value)) return value.map((item) => this.spoil(item, of));
    if (!isFields(value)) return value;
    const fields = Object.entries(value).flatMap(([key, inner]) => {
      const fate = this.#random.below(of * 2);
      if (fate === 0) return [];
      const name = fate === 1 ? this.one(["service", "resource", "ports", "Host"]) : key;
      return [[name, this.spoil(inner, of)]];
    });
    return Object.fromEntries(fields);
  }
}

for (const [name, options] of [
  ["a folder", OPTIONS],
  ["a strict cluster", WARY],
] as const) {
  test(`${name}: whatever objects hold, they are translated`, () => {
    const spoiler = new Spoiler(new Random(SEED));
    const store = new Store();
    const translator = new Translator(options);
    const said = new Set<string>();
    const home = { apiVersion: "v1", kind: "Namespace", metadata: { name: "default" } };
    for (let step = 0; step < STEPS; step++) {
      if (step % 20 === 0) store.apply({ type: "put", object: readObject(home, "").object! });
      const where = `seed ${SEED}, step ${step}`;
      const raw = spoiler.spoil(spoiler.one(MANIFESTS), spoiler.one([10, 30, 100]));
      const { object } = readObject(raw, "garbage");
      if (object === null) continue;
      store.apply({ type: spoiler.one(["put", "put", "put", "gone"] as const), object });
      const made = translator.translate(store.snapshot([]), store.changes());
      for (const { reason } of made.fresh) {
        assert.not.ok(reason.includes("cannot translate it"), `${where}: ${reason}`);
        said.add(reason);
      }
      if (step % 10 > 0) continue;
      const { model, findings } = translate(store.snapshot([]), options);
      assert.ok(Bun.deepEquals([made.model, made.findings], [model, findings], true), where);
      assert.ok(Bun.deepEquals(JSON.parse(JSON.stringify(model)), model, true), where);
    }
    assert.ok(said.size > 100, `${said.size} findings: this looks at nothing`);
  });
}

test.run();
