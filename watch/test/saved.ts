/** The state that is kept for the next start, in a real folder with a fake clock. */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
} from "node:fs";
import { statSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { test } from "uvu";
import * as assert from "uvu/assert";

import { type FakeClock, fakeClock } from "../../core/clock.ts";
import { DEFAULT_POLICY, type Model } from "../../core/model.ts";
import { Saved, type SavedConfig } from "../saved.ts";

const HOUR_MS = 3_600_000;
const START_MS = Date.parse("2026-01-01T00:00:00Z");

type Rig = {
  readonly folder: string;
  readonly path: string;
  readonly clock: FakeClock;
  readonly reports: string[];
  current: boolean;
  /** What the clock on the wall is ahead of the fake one. */
  aheadMs: number;
  readonly open: (more?: Partial<SavedConfig>) => Saved;
};

const folders: string[] = [];
test.after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

function rig(): Rig {
  const root = mkdtempSync(join(tmpdir(), "rind-saved-"));
  folders.push(root);
  const folder = join(root, "deep");
  const clock = fakeClock();
  const made: Rig = {
    folder,
    path: join(folder, "state"),
    clock,
    reports: [],
    current: true,
    aheadMs: START_MS,
    open: (more) =>
      new Saved({
        folder,
        release: "1.0.0",
        cluster: "https://10.0.0.1",
        settings: "class rind",
        clock,
        wall: () => clock.now() + made.aheadMs,
        current: () => made.current,
        report: (what, reason) => made.reports.push(`${what}: ${reason}`),
        ...more,
      }),
  };
  return made;
}

function modelOf(...names: string[]): Model {
  const hosts = names.map((name) => ({
    name,
    policy: "",
    routes: [
      {
        id: `Ingress default/${name}`,
        origin: { kind: "Ingress", namespace: "default", name, field: "" },
        match: {
          path: { kind: "prefix", value: "/ø" } as const,
          methods: [],
          headers: [],
          cookies: [],
          queries: [],
        },
        action: { kind: "forward", split: [{ backend: name, weight: 1 }], cursor: -1 } as const,
        policy: DEFAULT_POLICY,
      },
    ],
  }));
  const backends = names.map((id) => ({
    id,
    endpoints: [{ address: "10.0.0.1", port: 80, uid: "" }],
    reason: "",
    balance: "leastRequest" as const,
    tls: null,
  }));
  const certificates = [{ id: "c", chain: "chain", key: "key" }];
  const secure = [{ name: "a", certificates: ["c"], policy: null, passthrough: "" }];
  return { version: 0, hosts, backends, certificates, secure };
}

/** Waits until what the file system does is done, as `is` tells. */
async function until(is: () => boolean): Promise<void> {
  for (let i = 0; !is(); i++) {
    if (i > 5_000) throw new Error("it never came");
    await Bun.sleep(1);
  }
}

function textOf(on: Rig): string {
  return existsSync(on.path) ? readFileSync(on.path, "utf8") : "";
}

/** A rig whose state has been saved. */
async function kept(model: Model): Promise<Rig> {
  const on = rig();
  const saved = on.open();
  saved.save(model);
  on.clock.advance(0);
  await until(() => Bun.file(on.path).size > 0);
  saved.stop();
  return on;
}

test("what was saved is loaded by the next start, and says how old it is", async () => {
  const model = modelOf("a.example", "b.example");
  const on = await kept(model);
  on.clock.advance(HOUR_MS);
  const state = await on.open().load();
  assert.equal(state, { model, ageMs: HOUR_MS });
  assert.is(statSync(on.path).mode & 0o777, 0o600);
  assert.is(statSync(on.folder).mode & 0o777, 0o700);
  assert.equal(readdirSync(on.folder), ["state"], "nothing is left beside it");
});

test("an empty model and one of many pieces come back whole", async () => {
  for (const model of [modelOf(), modelOf(...Array.from({ length: 3_000 }, (_, i) => `h${i}`))]) {
    const on = await kept(model);
    assert.equal((await on.open().load())?.model, model);
  }
});

test("authorities that many hosts and backends share are saved once, and come back", async () => {
  const authorities = "a".repeat(50_000);
  const client = { authorities, verify: "required", depth: 1, forward: false } as const;
  const policy = { id: "p", minVersion: null, ciphers: "", client };
  const identity = { chain: "c", key: "k" };
  const tls = { name: "n", sni: true, verify: true, authorities, identity };
  const names = Array.from({ length: 100 }, (_, i) => `n${i}`).sort();
  const model: Model = {
    ...modelOf("one"),
    backends: names.map((id) => {
      return { id, endpoints: [], reason: "", balance: "leastRequest", tls } as const;
    }),
    certificates: [{ id: "a/b", ...identity }],
    secure: names.map((name) => ({ name, certificates: ["a/b"], policy, passthrough: "" })),
  };
  const on = await kept(model);
  assert.ok(textOf(on).length < 200_000, `${textOf(on).length}`);
  assert.equal((await on.open().load())?.model, { ...model, version: 0 });
});

test("nothing saved is nothing to report", async () => {
  const on = rig();
  assert.is(await on.open().load(), null);
  assert.equal(on.reports, []);
});

/** What happens to the file, and what is said about it. */
const UNUSABLE: readonly (readonly [string, (on: Rig) => Partial<SavedConfig> | void, string])[] = [
  ["of another version", () => ({ release: "1.0.1" }), "another version of rind saved it: 1.0.0"],
  ["of another cluster", () => ({ cluster: "b" }), "it is of another cluster: https://10.0.0.1"],
  ["of other settings", () => ({ settings: "class b" }), "it was made with other settings"],
  ["older than a day", (on) => on.clock.advance(25 * HOUR_MS), "it is 25 h old"],
  [
    "from the future",
    (on) => void (on.aheadMs -= HOUR_MS),
    "it is from the future, or the clock was set back",
  ],
  [
    "writable by others",
    (on) => chmodSync(on.path, 0o620),
    "others than its owner may write to it",
  ],
  ["empty", (on) => rewrite(on, () => ""), "it is damaged"],
  ["foreign", (on) => rewrite(on, () => "hello\nworld\n"), "it is damaged"],
  ["without its end", (on) => rewrite(on, (text) => text.slice(0, -40)), "it is damaged"],
  ["longer", (on) => rewrite(on, (text) => `${text}${text}`), "it is damaged"],
];

for (const [what, change, reason] of UNUSABLE) {
  test(`a state that is ${what} is not used, and says why`, async () => {
    const on = await kept(modelOf("a.example"));
    const more = change(on);
    assert.is(await on.open(more ?? {}).load(), null);
    assert.equal(on.reports, [`the saved state is not used: ${reason}`]);
  });
}

/** Changes the text, and leaves time and mode as they are. */
function rewrite(on: Rig, change: (text: string) => string): void {
  const { atimeMs, mtimeMs } = statSync(on.path);
  writeFileSync(on.path, change(readFileSync(on.path, "utf8")));
  utimesSync(on.path, atimeMs / 1_000, mtimeMs / 1_000);
}

test("whatever byte of the file is another one, it is not used", async () => {
  const on = await kept(modelOf("a.example"));
  const good = readFileSync(on.path);
  for (let i = 0; i < good.length - 1; i++) {
    rewrite(on, () => "");
    const bad = Buffer.from(good);
    bad[i] = (bad[i] ?? 0) ^ 1;
    writeFileSync(on.path, bad);
    utimesSync(on.path, START_MS / 1_000, START_MS / 1_000);
    assert.is(await on.open().load(), null, `byte ${i}`);
  }
});

test("a link in its place is not followed", async () => {
  const on = await kept(modelOf("a.example"));
  const other = join(on.folder, "other");
  writeFileSync(other, readFileSync(on.path), { mode: 0o600 });
  const before = statSync(on.path).mtime;
  utimesSync(other, before, before);
  rmSync(on.path);
  symlinkSync(other, on.path);
  assert.is(await on.open().load(), null);
  assert.is(on.reports.length, 1);
});

test("what a crash left beside it is in nobody's way, whoever could read it", async () => {
  const on = rig();
  mkdirSync(on.folder);
  writeFileSync(`${on.path}.new`, "half a state", { mode: 0o644 });
  const saved = on.open();
  saved.save(modelOf("a.example"));
  on.clock.advance(0);
  await until(() => textOf(on).includes("a.example"));
  assert.is(statSync(on.path).mode & 0o777, 0o600);
  assert.equal(on.reports, []);
  saved.stop();
});

test("what cannot be finished is not left beside it", async () => {
  const on = rig();
  // A folder in its place that is not empty: all can be written, and nothing renamed.
  mkdirSync(join(on.path, "taken"), { recursive: true });
  const saved = on.open();
  saved.save(modelOf("a.example"));
  on.clock.advance(0);
  await until(() => on.reports.length > 0);
  assert.match(on.reports[0]!, "the state is not saved: ");
  assert.equal(readdirSync(on.folder), ["state"]);
  saved.stop();
});

test("of many models in five seconds, the first and the last are saved", async () => {
  const on = rig();
  const saved = on.open();
  const texts = new Set<string>();
  for (let second = 0; second < 5; second++) {
    saved.save(modelOf(`h${second}.example`));
    on.clock.advance(0);
    await until(() => textOf(on) !== "");
    texts.add(textOf(on));
    on.clock.advance(999);
  }
  assert.is(texts.size, 1);
  await until(() => {
    on.clock.advance(1);
    return textOf(on).includes("h4.example");
  });
  assert.ok(on.clock.now() >= 5_000);
  saved.stop();
});

test("the same model is not written again", async () => {
  const on = rig();
  const saved = on.open();
  const model = modelOf("a.example");
  saved.save(model);
  on.clock.advance(0);
  await until(() => textOf(on) !== "");
  const { ino } = statSync(on.path);
  saved.save(model);
  await until(() => {
    on.clock.advance(1_000);
    return on.clock.now() > HOUR_MS;
  });
  assert.is(statSync(on.path).ino, ino, "marked as still true, and no other file");
  saved.stop();
});

test("after stop nothing is saved or marked as true, also when a save was running", async () => {
  const on = rig();
  const saved = on.open();
  saved.save(modelOf("a.example"));
  on.clock.advance(0);
  saved.stop();
  saved.save(modelOf("b.example"));
  await until(() => textOf(on) !== "");
  const { mtimeMs } = statSync(on.path);
  await until(() => {
    on.clock.advance(60_000);
    return on.clock.now() > HOUR_MS;
  });
  assert.match(textOf(on), "a.example");
  assert.is(statSync(on.path).mtimeMs, mtimeMs);
});

test("an unchanged state stays young for as long as the cluster is heard of", async () => {
  const on = rig();
  const saved = on.open();
  saved.save(modelOf("a.example"));
  on.clock.advance(0);
  await until(() => textOf(on) !== "");
  const ageMs = (): number => on.clock.now() + on.aheadMs - statSync(on.path).mtimeMs;
  await until(() => {
    on.clock.advance(60_000);
    return on.clock.now() > HOUR_MS && ageMs() <= 120_000;
  });
  on.current = false;
  const start = on.clock.now();
  await until(() => {
    on.clock.advance(60_000);
    return on.clock.now() - start > HOUR_MS;
  });
  assert.ok(ageMs() >= HOUR_MS);
  saved.stop();
});

test("a file that somebody deletes is written again", async () => {
  const on = rig();
  const saved = on.open();
  saved.save(modelOf("a.example"));
  on.clock.advance(0);
  await until(() => Bun.file(on.path).size > 0);
  rmSync(on.path);
  await until(() => {
    on.clock.advance(60_000);
    return textOf(on).includes("a.example");
  });
  assert.is(on.reports.length, 1);
  saved.stop();
});

test("a folder that cannot be written is reported once, and tried again", async () => {
  const on = rig();
  writeFileSync(on.folder, "in the way");
  const saved = on.open();
  saved.save(modelOf("a.example"));
  await until(() => {
    on.clock.advance(60_000);
    return on.clock.now() > HOUR_MS;
  });
  rmSync(on.folder);
  await until(() => {
    on.clock.advance(60_000);
    return Bun.file(on.path).size > 0;
  });
  saved.stop();
  assert.is(on.reports.length, 1);
  assert.match(on.reports[0] ?? "", "the state is not saved");
});

test.run();
