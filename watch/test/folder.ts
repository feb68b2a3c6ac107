import {
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite, type Context } from "uvu";
import * as assert from "uvu/assert";
import { type Clock, fakeClock, systemClock } from "../../core/clock.ts";
import { FolderSource, readFolder } from "../source/folder.ts";
import type { SourceEvent } from "../source/source.ts";

const POLL_MS = 1_000;
/** For how long a test waits for the kernel before it gives up. */
const PATIENCE_MS = 10_000;

/** Time is real, but the look at everything once a second never comes: the kernel has to tell. */
const NO_POLL: Clock = {
  now: systemClock.now,
  after: (ms, call) => (ms >= POLL_MS ? () => {} : systemClock.after(ms, call)),
};

type Here = Context & { folder: string; sources: FolderSource[] };

/** What a source has told: the objects as `name=spec`, and everything that happened. */
class Listener {
  readonly objects = new Map<string, unknown>();
  readonly events: string[] = [];
  findings: readonly string[] = [];
  #wake: () => void = () => {};

  hear(event: SourceEvent): void {
    if (event.type === "put") this.objects.set(event.object.metadata.name, event.object["spec"]);
    else if (event.type === "gone") this.objects.delete(event.object.metadata.name);
    else if (event.type === "findings") {
      this.findings = event.findings.map(({ name, reason }) => `${name} ${reason}`);
    }
    const name = "object" in event ? ` ${event.object.metadata.name}` : "";
    this.events.push(`${event.type}${name}`);
    this.#wake();
  }

  told(): string {
    return [...this.objects]
      .map(([name, spec]) => `${name}=${spec}`)
      .sort()
      .join(" ");
  }

  /** Waits until the objects are these. */
  async until(expected: string): Promise<void> {
    const deadline = systemClock.now() + PATIENCE_MS;
    while (this.told() !== expected) {
      const leftMs = deadline - systemClock.now();
      if (leftMs <= 0) assert.is(this.told(), expected, this.events.join("; "));
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      const cancel = systemClock.after(leftMs, resolve);
      await promise;
      cancel();
    }
  }
}

function text(...names: readonly string[]): string {
  return names
    .map((name) => {
      const [bare, spec = "1"] = name.split("=");
      return `apiVersion: v1\nkind: Service\nmetadata: {name: ${bare}}\nspec: ${spec}\n`;
    })
    .join("---\n");
}

/** As careful editors do: a new file takes the place of the old one. */
function replace(path: string, content: string): void {
  writeFileSync(`${path}.new`, content);
  renameSync(`${path}.new`, path);
}

function follow(here: Here, roots: readonly string[], clock: Clock): Listener {
  const source = new FolderSource(roots, clock);
  const listener = new Listener();
  here.sources.push(source);
  source.watch((event) => listener.hear(event));
  return listener;
}

const test = suite<Here>("folder");

test.before.each((here) => {
  here.folder = mkdtempSync(join(tmpdir(), "rind-folder-"));
  here.sources = [];
});

test.after.each((here) => {
  for (const source of here.sources) source.stop();
  rmSync(here.folder, { recursive: true, force: true });
});

test("everything that is there is told before `synced`", (here) => {
  mkdirSync(join(here.folder, "more", "deep"), { recursive: true });
  writeFileSync(join(here.folder, "a.yaml"), text("a"));
  writeFileSync(join(here.folder, "more", "b.yml"), text("b"));
  writeFileSync(
    join(here.folder, "more", "deep", "c.json"),
    JSON.stringify({ apiVersion: "v1", kind: "Service", metadata: { name: "c" }, spec: 1 }),
  );
  writeFileSync(join(here.folder, ".hidden.yaml"), text("hidden"));
  writeFileSync(join(here.folder, "readme.md"), text("readme"));
  writeFileSync(join(here.folder, "a.yaml.orig"), text("orig"));
  const listener = follow(here, [`${here.folder}/`], fakeClock());
  assert.equal(listener.events, ["put a", "put b", "put c", "synced"]);
});

test("an empty folder is synced", (here) => {
  assert.equal(follow(here, [here.folder], fakeClock()).events, ["synced"]);
});

test("without the kernel's help, an edit is seen within a second", (here) => {
  const clock = fakeClock();
  const path = join(here.folder, "a.yaml");
  writeFileSync(path, text("a", "b"));
  const listener = follow(here, [here.folder], clock);
  replace(path, text("a=2", "b"));
  clock.advance(POLL_MS);
  assert.is(listener.told(), "a=2 b=1");
  replace(path, text("a=2"));
  clock.advance(POLL_MS);
  assert.is(listener.told(), "a=2 b=1", "a loss must last");
  clock.advance(20);
  assert.is(listener.told(), "a=2");
  unlinkSync(path);
  clock.advance(POLL_MS + 20);
  assert.is(listener.told(), "");
});

test("looking again tells nothing when nothing changed", (here) => {
  const clock = fakeClock();
  writeFileSync(join(here.folder, "a.yaml"), `${text("a")}---\na: b: c\n`);
  const listener = follow(here, [here.folder], clock);
  const { length } = listener.events;
  clock.advance(10 * POLL_MS);
  assert.is(listener.events.length, length);
});

test("a file that stops parsing keeps its last good objects", (here) => {
  const clock = fakeClock();
  const path = join(here.folder, "a.yaml");
  writeFileSync(path, text("a", "b"));
  const listener = follow(here, [here.folder], clock);
  replace(path, `${text("a=2")}---\nkind: Service\n  apiVersion: v1\n`);
  clock.advance(POLL_MS);
  assert.is(listener.told(), "a=2 b=1");
  assert.equal(listener.findings, [`${path} does not parse: unexpected token`]);
  replace(path, text("a=3", "b=3"));
  clock.advance(POLL_MS);
  assert.is(listener.told(), "a=3 b=3");
  assert.equal(listener.findings, []);
});

test("a folder that is away keeps its objects; what differs afterwards is told", (here) => {
  const clock = fakeClock();
  const folder = join(here.folder, "manifests");
  mkdirSync(folder);
  writeFileSync(join(folder, "a.yaml"), text("a", "b"));
  const listener = follow(here, [folder], clock);
  renameSync(folder, `${folder}.away`);
  clock.advance(POLL_MS);
  clock.advance(POLL_MS);
  assert.is(listener.told(), "a=1 b=1");
  assert.equal(listener.findings, [`${folder} does not exist`]);
  renameSync(`${folder}.away`, folder);
  replace(join(folder, "a.yaml"), text("a=2", "b"));
  clock.advance(POLL_MS);
  assert.is(listener.told(), "a=2 b=1");
  assert.equal(listener.findings, []);
});

test("a folder that does not exist yet is a finding until it does", (here) => {
  const clock = fakeClock();
  const folder = join(here.folder, "later");
  const listener = follow(here, [folder], clock);
  assert.equal(listener.events, ["findings", "synced"]);
  mkdirSync(folder);
  writeFileSync(join(folder, "a.yaml"), text("a"));
  clock.advance(POLL_MS);
  assert.is(listener.told(), "a=1");
  assert.equal(listener.findings, []);
});

test("a file that cannot be read any more keeps its objects", (here) => {
  const clock = fakeClock();
  const path = join(here.folder, "a.yaml");
  writeFileSync(path, text("a"));
  const listener = follow(here, [here.folder], clock);
  unlinkSync(path);
  symlinkSync(path, path);
  clock.advance(POLL_MS);
  clock.advance(POLL_MS);
  assert.is(listener.told(), "a=1");
  assert.equal(listener.findings, [`${path} cannot be read (ELOOP)`]);
});

test("of an object in two folders the first by path counts, then the next one", (here) => {
  const clock = fakeClock();
  const [one, two] = [join(here.folder, "1"), join(here.folder, "2")];
  for (const folder of [one, two]) mkdirSync(folder);
  writeFileSync(join(one, "a.yaml"), text("a=first"));
  writeFileSync(join(two, "a.yaml"), text("a=second"));
  const listener = follow(here, [two, one], clock);
  assert.is(listener.told(), "a=first");
  assert.is(listener.findings.length, 1);
  unlinkSync(join(one, "a.yaml"));
  clock.advance(POLL_MS + 20);
  assert.is(listener.told(), "a=second");
  assert.not.ok(listener.events.includes("gone a"), "it was never gone");
});

test("links that go round in circles and roots that overlap are read once", (here) => {
  writeFileSync(join(here.folder, "a.yaml"), text("a"));
  mkdirSync(join(here.folder, "sub"));
  symlinkSync(here.folder, join(here.folder, "sub", "up"));
  const roots = [here.folder, join(here.folder, "sub"), join(here.folder, "a.yaml")];
  const listener = follow(here, roots, fakeClock());
  assert.equal(listener.events, ["put a", "synced"]);
});

test("a folder is read once by readFolder, a single file of any name too", (here) => {
  writeFileSync(join(here.folder, "a.yaml"), text("a"));
  writeFileSync(join(here.folder, "manifest"), text("b"));
  const names = (roots: readonly string[]): readonly string[] =>
    readFolder(roots).objects.map(({ metadata }) => metadata.name);
  assert.equal(names([here.folder]), ["a"]);
  assert.equal(names([here.folder, join(here.folder, "manifest")]), ["a", "b"]);
  const nowhere = readFolder([join(here.folder, "nowhere")]);
  assert.equal([nowhere.objects.length, nowhere.findings[0]?.level], [0, "error"]);
});

// === the kernel tells ===

test("writing, replacing and deleting a file are told", async (here) => {
  const path = join(here.folder, "a.yaml");
  const listener = follow(here, [here.folder], NO_POLL);
  writeFileSync(path, text("a"));
  await listener.until("a=1");
  writeFileSync(path, text("a=2"));
  await listener.until("a=2");
  replace(path, text("a=3"));
  await listener.until("a=3");
  unlinkSync(path);
  await listener.until("");
});

test("hidden files and files of other kinds are not read", async (here) => {
  const listener = follow(here, [here.folder], NO_POLL);
  for (const name of [".a.yaml", "a.yaml~", "a.txt"]) {
    writeFileSync(join(here.folder, name), text("a"));
  }
  writeFileSync(join(here.folder, "b.yaml"), text("b"));
  await listener.until("b=1");
});

test("folders come, go, and come again", async (here) => {
  const listener = follow(here, [here.folder], NO_POLL);
  const sub = join(here.folder, "sub");
  for (const spec of ["1", "2", "3"]) {
    mkdirSync(join(sub, "deep"), { recursive: true });
    writeFileSync(join(sub, "deep", "a.yaml"), text(`a=${spec}`));
    await listener.until(`a=${spec}`);
    writeFileSync(join(sub, "deep", "a.yaml"), text(`a=${spec}0`));
    await listener.until(`a=${spec}0`);
    rmSync(sub, { recursive: true });
    await listener.until("");
  }
});

test("a mounted ConfigMap changes all its files at once", async (here) => {
  const at = (...parts: readonly string[]): string => join(here.folder, ...parts);
  const version = (name: string, spec: string): void => {
    mkdirSync(at(name));
    writeFileSync(at(name, "a.yaml"), text(`a=${spec}`));
    writeFileSync(at(name, "b.yaml"), text(`b=${spec}`));
    symlinkSync(name, at("..data_tmp"));
    renameSync(at("..data_tmp"), at("..data"));
  };
  version("..2026_01_01", "1");
  for (const name of ["a.yaml", "b.yaml"]) symlinkSync(join("..data", name), at(name));
  const listener = follow(here, [here.folder], NO_POLL);
  assert.is(listener.told(), "a=1 b=1");
  version("..2026_01_02", "2");
  rmSync(at("..2026_01_01"), { recursive: true });
  await listener.until("a=2 b=2");
  assert.equal(listener.findings, []);
});

test("a single file is followed when it is replaced, its neighbours are not", async (here) => {
  const path = join(here.folder, "manifest");
  writeFileSync(path, text("a"));
  const listener = follow(here, [path], NO_POLL);
  writeFileSync(join(here.folder, "b.yaml"), text("b"));
  replace(path, text("a=2"));
  await listener.until("a=2");
});

test("an editor that moves the file away and writes a new one takes nothing away", async (here) => {
  const path = join(here.folder, "a.yaml");
  writeFileSync(path, text("a", "b"));
  const listener = follow(here, [here.folder], NO_POLL);
  for (const spec of ["2", "3", "4"]) {
    renameSync(path, `${path}~`);
    await Promise.resolve();
    writeFileSync(path, text(`a=${spec}`));
    await Promise.resolve();
    writeFileSync(path, text(`a=${spec}`, `b=${spec}`));
    await listener.until(`a=${spec} b=${spec}`);
  }
  assert.not.ok(listener.events.some((event) => event.startsWith("gone")));
});

test("nothing is told after stop", async (here) => {
  const path = join(here.folder, "a.yaml");
  writeFileSync(path, text("a"));
  const stopped = follow(here, [here.folder], NO_POLL);
  here.sources[0]?.stop();
  const listener = follow(here, [here.folder], NO_POLL);
  writeFileSync(path, text("a=2"));
  await listener.until("a=2");
  assert.is(stopped.told(), "a=1");
});

test.run();
