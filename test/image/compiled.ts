/** The compiled binary does what the source does: its workers, its signals, its examples. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { version } from "../../package.json";
import { kubeconfigOf, startApiServer } from "../apiserver.ts";
import { makeAuthority } from "../apiserver/authority.ts";
import { alive, manifestsOf, pidsOf, startRind, until } from "../e2e/program.ts";
import { classOf, ingressOf } from "./objects.ts";
import type { Program } from "../e2e/program.ts";

const ROOT = join(import.meta.dir, "../..");
const PLATE = "cheeseplate.127.0.0.1.nip.io";

const compiled = suite("compiled");
let folder = "";
let binary = "";

compiled.before(() => {
  folder = mkdtempSync(join(tmpdir(), "rind-compiled-"));
  binary = join(folder, "bin", "rind");
  const made = Bun.spawnSync(["node", "scripts/compile.mjs", binary], { cwd: ROOT });
  assert.is(made.exitCode, 0, made.stderr.toString());
});

compiled.after(() => rmSync(folder, { recursive: true }));

/** Runs the binary to its end. */
function output(args: readonly string[], stdin = ""): [number, string] {
  const run = Bun.spawnSync([binary, ...args], { cwd: folder, stdin: Buffer.from(stdin) });
  return [run.exitCode, `${run.stdout.toString()}${run.stderr.toString()}`];
}

async function withBinary(args: string[], body: (rind: Program) => Promise<void>): Promise<void> {
  const rind = await startRind(args, folder, [binary]);
  const workers = await pidsOf(rind);
  try {
    await body(rind);
    assert.is(await rind.stop(), 0);
  } finally {
    if (alive(rind.pid)) process.kill(rind.pid, "SIGKILL");
    await until("no worker is left", () => workers.every((pid) => !alive(pid)));
  }
}

compiled("nothing is left of the making but the binary", () => {
  assert.equal(readdirSync(join(folder, "bin")), ["rind"]);
});

compiled("commands work", () => {
  assert.equal(output(["--version"]), [0, `rind ${version}\n`]);
  const [code, text] = output(["check", "-"], manifestsOf("shop", 8_000));
  assert.is(code, 0);
  assert.match(text, "0 errors");
});

compiled("the demo carries its examples, and takes edits of them", async () => {
  await withBinary(["demo", "--workers", "1"], async (rind) => {
    const answer = await rind.get(PLATE);
    assert.is(answer.status, 200);
    const shown = /Edit a file in (\S+)/.exec(rind.output())?.[1] ?? "";
    assert.ok(readdirSync(shown).includes("cheeses.yaml"), shown);
    for (const name of readdirSync(shown)) rmSync(join(shown, name));
    await until("the edit is served", async () => (await rind.get(PLATE)).status === 404);
  });
});

compiled("workers are the binary again: replaced on SIGHUP, and when one dies", async () => {
  writeFileSync(join(folder, "shop.json"), manifestsOf("shop", 1));
  const manifests = join(folder, "shop.json");
  const args = ["run", "--manifests", manifests, "--workers", "2", "--lame-duck", "0s"];
  await withBinary(args, async (rind) => {
    const first = await pidsOf(rind);
    assert.is(first.length, 2);
    process.kill(rind.pid, "SIGHUP");
    const others = async (before: readonly number[]): Promise<boolean> => {
      const { ready, workers } = await rind.readiness();
      const fresh = workers.every(({ pid, serving }) => serving && !before.includes(pid));
      return ready && fresh && workers.length === 2;
    };
    await until("both are replaced", () => others(first));
    const [victim] = await pidsOf(rind);
    process.kill(victim!, "SIGKILL");
    await until("another took its place", () => others([...first, victim!]));
    assert.is((await rind.get("nobody.example")).status, 404);
  });
});

compiled("a cluster is followed, over TLS of its own authority", async () => {
  const authority = makeAuthority() ?? undefined;
  if (authority === undefined) console.log("note: no openssl, so the API server speaks no TLS");
  const server = startApiServer(authority === undefined ? {} : { authority });
  const kubeconfig = join(folder, "kubeconfig");
  writeFileSync(
    kubeconfig,
    kubeconfigOf(server, authority === undefined ? {} : { authority, token: "t" }),
  );
  server.put(classOf("rind"));
  server.put(ingressOf("shop"));
  try {
    await withBinary(["run", "--kubeconfig", kubeconfig, "--lame-duck", "0s"], async (rind) => {
      // A host without a pod is known, and answered so.
      assert.is((await rind.get("shop.example")).status, 503);
      assert.is((await rind.get("late.example")).status, 404);
      server.put(ingressOf("late"));
      await until("it is served", async () => (await rind.get("late.example")).status === 503);
    });
  } finally {
    server.stop();
  }
});

compiled("what the folder holds that it is called in is not read", async () => {
  writeFileSync(join(folder, "bunfig.toml"), 'preload = ["./preload.ts"]\n');
  writeFileSync(join(folder, "preload.ts"), 'console.error("preloaded");\n');
  writeFileSync(join(folder, ".env"), "RIND_WORKERS=nonsense\n");
  await withBinary(["demo"], async (rind) => assert.is((await rind.get(PLATE)).status, 200));
  assert.not.match(output(["--version"])[1], "preloaded");
});

compiled.run();
