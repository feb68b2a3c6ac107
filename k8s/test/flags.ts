/** What manifests and chart set are flags that `rind run` has, with values it takes. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { configOf } from "./fixture/config.ts";
import { objectsIn } from "./fixture/objects.ts";

const ROOT = join(import.meta.dir, "../..");
const OVERLAYS = "k8s/kustomize/overlays";

function textOf(path: string): string {
  return readFileSync(join(ROOT, path), "utf8");
}

test("every variable of a manifest, an overlay or the chart is a flag of `rind run`", () => {
  const { stdout } = spawnSync(process.execPath, [join(ROOT, "rind.ts"), "run", "--help"], {
    encoding: "utf8",
  });
  const known = new Set(stdout.match(/RIND_\w+/g));
  for (const path of new Bun.Glob("k8s/**/*.{yaml,tpl}").scanSync({ cwd: ROOT })) {
    for (const name of textOf(path).match(/RIND_\w+/g) ?? []) {
      assert.ok(known.has(name), `${path}: ${name}`);
    }
  }
});

for (const [path, kind] of [
  ["k8s/rind.yaml", "DaemonSet"],
  [`${OVERLAYS}/load-balancer/rind.yaml`, "Deployment"],
] as const) {
  test(`${path}: rind takes what it is told, and knows its pod`, () => {
    const config = configOf(objectsIn(textOf(path)).find((raw) => raw.kind === kind));
    assert.ok(config.ok, config.ok ? "" : config.reason);
    if (!config.ok) return;
    const { cluster, state, workers, http, https, tls } = config.value;
    assert.equal(cluster?.pod, { namespace: "rind", name: "rind-x" });
    assert.ok(cluster?.report, "status is not reported");
    assert.is(state, "/var/run/rind");
    assert.is(workers, 2);
    assert.equal(http, [{ host: "::", port: kind === "DaemonSet" ? 80 : 8000 }]);
    assert.equal(https, [{ host: "::", port: kind === "DaemonSet" ? 443 : 8443 }]);
    assert.is(tls.port, 443, "where clients are redirected to");
    const service = { namespace: "rind", name: "rind" };
    assert.equal(cluster?.report?.service, kind === "Deployment" ? service : null);
  });
}

test.run();
