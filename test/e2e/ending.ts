/** SIGTERM ends rind in time, whatever it is waiting for. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";

import { type ApiServerDouble, kubeconfigOf, startApiServer } from "../apiserver.ts";
import { startRind, until } from "./program.ts";

const LISTED = ["Ingress", "IngressClass", "Service", "EndpointSlice"];

/** A rind that serves an empty cluster, until the API server does what `hang` makes it do. */
async function endOf(hang: (api: ApiServerDouble, kubeconfig: string) => Promise<void>) {
  const api = startApiServer();
  const folder = mkdtempSync(join(tmpdir(), "rind-ending-"));
  const kubeconfig = join(folder, "kubeconfig");
  writeFileSync(kubeconfig, kubeconfigOf(api));
  const reporting = ["--pod", "rind/rind-0", "--publish-address", "192.0.2.1"];
  const quick = ["--workers", "1", "--lame-duck", "0s", ...reporting];
  const rind = await startRind(["run", "--kubeconfig", kubeconfig, ...quick]);
  try {
    await hang(api, kubeconfig);
    // It is killed when it has not ended by then.
    assert.is(await rind.stop(), 0);
  } finally {
    api.stop();
    rmSync(folder, { recursive: true });
  }
}

function endWatches(api: ApiServerDouble): void {
  for (const watch of api.watches()) watch.end();
}

test("while lists are not answered", () =>
  endOf(async (api) => {
    api.disturb({ kind: "answer", status: 400 }, { verb: "watch" });
    api.disturb({ kind: "blackhole" }, { verb: "list" });
    endWatches(api);
    await until("lists wait", () => api.count({ verb: "list" }) >= LISTED.length);
  }));

test("while a plugin hangs that gives the credentials", () =>
  endOf(async (api, kubeconfig) => {
    const mark = `${kubeconfig}.mark`;
    const exec = { command: "sh", args: ["-c", `touch ${mark}; exec sleep 60`] };
    const config = JSON.parse(kubeconfigOf(api)) as Record<string, unknown>;
    const users = [{ name: "test", user: { exec } }];
    writeFileSync(kubeconfig, JSON.stringify({ ...config, users }));
    api.guard.tokens.set("a token that nobody has", "nobody");
    endWatches(api);
    await until("the plugin runs", () => existsSync(mark));
  }));

test.run();
