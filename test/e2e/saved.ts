/** A rind that starts while the API server is away, with what the one before it has kept. */
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type ApiServerDouble, kubeconfigOf, startApiServer } from "../apiserver.ts";
import type { Given } from "../apiserver/objects.ts";
import { get, manifestsOf, type Program, until, withRind } from "./program.ts";

const STALE = "serves the state of";

const saved = suite("saved state");
let origin: Bun.Server<undefined>;
let api: ApiServerDouble;
let folder = "";

saved.before(() => {
  const fetch = (): Response => new Response("brie");
  origin = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch });
  api = startApiServer();
  serve("brie");
  folder = mkdtempSync(join(tmpdir(), "rind-saved-"));
  writeFileSync(join(folder, "kubeconfig"), kubeconfigOf(api));
});

saved.after(async () => {
  api.stop();
  await origin.stop(true);
  rmSync(folder, { recursive: true });
});

/** The cluster has NAME.example from now on. */
function serve(name: string): void {
  const list = JSON.parse(manifestsOf(name, origin.port ?? 0)) as { items: readonly Given[] };
  for (const { metadata, ...object } of list.items) {
    api.put({ ...object, metadata: { ...metadata, namespace: "default" } } as Given);
  }
}

/**
 * The API server resets whatever comes, until the answer is called. It keeps its port: of one that
 * was closed, somebody else could have it by then.
 */
function away(): () => void {
  return api.disturb({ kind: "reset" });
}

function run(...more: readonly string[]): readonly string[] {
  const flags = ["--kubeconfig", join(folder, "kubeconfig"), "--state", join(folder, "state")];
  const here = ["--without-class", "--allow-address", "127.0.0.0/8", "--lame-duck", "0s"];
  return ["run", ...flags, ...here, "--workers", "2", ...more];
}

async function admin(rind: Program, path: string): Promise<string> {
  return (await get(rind.adminPort, "admin", path)).body;
}

async function status(rind: Program, name: string): Promise<number> {
  return (await rind.get(`${name}.example`)).status;
}

saved("what was served is served again until the API server answers", async () => {
  const file = join(folder, "state", "state");
  await withRind(run(), async (rind) => {
    assert.is((await rind.get("brie.example")).body, "brie");
    await until("the state is kept", () => existsSync(file));
  });
  assert.is(statSync(file).mode & 0o777, 0o600);
  const back = away();
  await withRind(run(), async (rind) => {
    assert.is((await rind.get("brie.example")).body, "brie");
    const ready = await rind.readiness();
    assert.is(ready.ready, true);
    assert.match(await admin(rind, "/readyz"), "serves the saved state");
    assert.match(await admin(rind, "/api/findings"), STALE);
    serve("comte");
    back();
    const bad: number[] = [];
    await until("the cluster is followed again", async () => {
      const old = await status(rind, "brie");
      if (old !== 200) bad.push(old);
      return (await status(rind, "comte")) === 200;
    });
    assert.equal(bad, [], "no request failed meanwhile");
    assert.not.match(await admin(rind, "/api/findings"), STALE);
    assert.not.match(await admin(rind, "/readyz"), "saved state");
  });
});

saved("a state of other settings is not served: rind is not ready", async () => {
  const back = away();
  const doors = ["--http", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
  const late = run("--namespace-selector", "team=a", ...doors);
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "../../rind.ts"), ...late], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let output = "";
  const read = (async () => {
    const decoder = new TextDecoder();
    for await (const chunk of child.stderr) output += decoder.decode(chunk, { stream: true });
  })();
  try {
    await until("it says so", () => output.includes("it was made with other settings")).catch(
      (error: unknown) => assert.unreachable(`${String(error)}:\n${output}`),
    );
    assert.not.match(output, "rind serves");
  } finally {
    child.kill("SIGKILL");
    await child.exited;
    await read;
    back();
  }
});

saved.run();
