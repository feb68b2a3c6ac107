import { KubeConfig } from "@kubernetes/client-node/dist/config.js";
import { test } from "uvu";
import * as assert from "uvu/assert";

import { boundPlugins } from "../plugin.ts";

/** Longer than a plugin needs on a busy machine, and shorter than a test may take. */
const RUN_MS = 1_500;
const GOOD = JSON.stringify({ status: { token: "t" } });

/** What the library makes of a plugin that runs this script. */
async function run(script: string): Promise<string> {
  const config = new KubeConfig();
  const exec = { command: "sh", args: ["-c", script] };
  config.loadFromOptions({
    clusters: [{ name: "one", server: "https://127.0.0.1:1", skipTLSVerify: true }],
    users: [{ name: "one", exec }],
    contexts: [{ name: "one", cluster: "one", user: "one" }],
    currentContext: "one",
  });
  boundPlugins(config, RUN_MS);
  const options: { headers?: Record<string, string> } = {};
  try {
    await config.applyToHTTPSOptions(options);
    return options.headers?.["Authorization"] ?? "nothing";
  } catch (error) {
    return `failed: ${error instanceof Error ? error.message : String(error)}`;
  }
}

const ROWS: readonly (readonly [name: string, script: string, outcome: RegExp])[] = [
  ["answers", `echo '${GOOD}'`, /^Bearer t$/],
  ["asks a question", `read answer; echo '${GOOD}'`, /^Bearer t$/],
  ["fails", "echo no login >&2; exit 1", /^failed: no login/],
  ["hangs", "exec sleep 1000", /^failed/],
  ["leaves a child that hangs", "sleep 5 & wait", /^failed/],
  ["never stops talking", "yes", /^failed/],
  ["never stops complaining", "yes >&2", /^failed/],
];

for (const [name, script, outcome] of ROWS) {
  test(`a plugin that ${name}`, async () => {
    assert.match(await run(script), outcome);
  });
}

test.run();
