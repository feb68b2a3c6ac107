#!/usr/bin/env node
/**
 * Runs a built image the way the README says, with docker or podman, and asks it for cheese:
 *   node scripts/smoke.mjs [TAG] [--with TOOL]
 * Its root is read-only, it has no capability and cannot get one. It has to serve the examples, and
 * to end by itself when it is stopped. (The tests run it with less: buildah and runc.)
 */
import { execFileSync, spawnSync } from "node:child_process";
import { request } from "node:http";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { ROOT } from "./bun.mjs";

const TOOLS = ["docker", "podman"];
const PORT = 8_000;
const USER = "65532:65532";
const HOST = "cheddar.127.0.0.1.nip.io";
const START_MS_MAX = 15_000;
const ANSWER_MS_MAX = 2_000;
const STOP_SECONDS_MAX = 10;
const POLL_MS = 100;

const HARDENED = ["--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL"];
const NO_ESCALATION = ["--security-opt", "no-new-privileges"];
const EXAMPLES = ["--volume", `${join(ROOT, "k8s", "examples")}:/manifests:ro`];

try {
  await main();
} catch (error) {
  process.stderr.write(`rind: ${error.message}\n`);
  process.exit(1);
}

async function main() {
  const { values, positionals } = parseArgs({
    options: { with: { type: "string" } },
    allowPositionals: true,
  });
  const tag = positionals[0] ?? "rind";
  const tool = values.with ?? TOOLS.find((name) => spawnSync(name, ["version"]).status === 0);
  if (tool === undefined) throw new Error(`none of these works here: ${TOOLS.join(", ")}`);
  const call = (...args) => execFileSync(tool, args, { encoding: "utf8" }).trim();
  const publish = ["--publish", `127.0.0.1::${PORT}`];
  const id = call("create", ...HARDENED, ...NO_ESCALATION, ...publish, ...EXAMPLES, tag);
  try {
    call("start", id);
    const port = Number(call("port", id, `${PORT}/tcp`).split("\n")[0].split(":").at(-1));
    await served(port);
    expect("its user", call("inspect", "--format", "{{.Config.User}}", id), USER);
    call("stop", "-t", String(STOP_SECONDS_MAX), id);
    expect("its exit code", call("inspect", "--format", "{{.State.ExitCode}}", id), "0");
  } catch (error) {
    const { stdout, stderr } = spawnSync(tool, ["logs", id], { encoding: "utf8" });
    throw new Error(`${error.message}\n${stdout}${stderr}`);
  } finally {
    spawnSync(tool, ["rm", "--force", id]);
  }
  process.stdout.write(`${tag} serves the examples with ${tool}\n`);
}

/** Resolves when the cheese is there; throws with what was there instead. */
async function served(port) {
  const end = Date.now() + START_MS_MAX;
  let seen = "";
  while (!/^200 .*<title>Cheddar/s.test(seen)) {
    if (Date.now() > end) throw new Error(`${HOST} on port ${port} is not served: ${seen}`);
    await sleep(POLL_MS);
    seen = await ask(port);
  }
}

/** The status and the body, or the error. */
function ask(port) {
  return new Promise((resolve) => {
    const headers = { host: HOST };
    const asked = request(
      { host: "127.0.0.1", port, headers, timeout: ANSWER_MS_MAX },
      (answer) => {
        let body = "";
        answer.setEncoding("utf8");
        answer.on("data", (text) => (body += text));
        answer.on("close", () => resolve(`${answer.statusCode} ${body}`));
      },
    );
    asked.on("timeout", () => asked.destroy(new Error("no answer")));
    asked.on("error", (error) => resolve(error.message));
    asked.end();
  });
}

function expect(what, is, wanted) {
  if (is !== wanted) throw new Error(`${what} is ${is}, not ${wanted}`);
}
