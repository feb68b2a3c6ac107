#!/usr/bin/env node
/**
 * Builds the image of rind with what is there: docker, podman or buildah. Needs Node and npm.
 *   node scripts/image.mjs [--scratch] [--tag NAME]… [--with TOOL]
 * It is rind:VERSION and rind:latest unless it is told other names.
 * --scratch lays the image out on this machine, as root, and needs no registry and no daemon.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { ROOT } from "./bun.mjs";
import { layRoot } from "./root.mjs";

/** Each with the call that fails where the tool cannot build, and the one that builds. */
const TOOLS = {
  // Its client may be there without its daemon.
  docker: { probe: ["version"], build: "build" },
  podman: { probe: ["version"], build: "build" },
  buildah: { probe: ["version"], build: "bud" },
};
/** Most people have the first; but buildah takes files with capabilities as they are. */
const ORDER = ["docker", "podman", "buildah"];
const ORDER_OF_SCRATCH = ["buildah", "podman", "docker"];
const PROBE_MS_MAX = 10_000;

try {
  await main();
} catch (error) {
  process.stderr.write(`rind: ${error.message}\n`);
  process.exit(1);
}

async function main() {
  const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  const { values } = parseArgs({
    options: {
      scratch: { type: "boolean", default: false },
      tag: { type: "string", multiple: true, default: [`rind:${version}`, "rind:latest"] },
      with: { type: "string" },
    },
  });
  const tool = chooseTool(values.with, values.scratch ? ORDER_OF_SCRATCH : ORDER);
  const labels = ["--build-arg", `VERSION=${version}`, "--build-arg", `REVISION=${revision()}`];
  const tags = values.tag.flatMap((tag) => ["--tag", tag]);
  const context = values.scratch ? newFolder() : ROOT;
  const file = join(ROOT, values.scratch ? "Dockerfile.scratch" : "Dockerfile");
  try {
    if (values.scratch) await layRoot(context);
    run(tool, [TOOLS[tool].build, ...labels, ...tags, "--file", file, context]);
  } finally {
    if (values.scratch) rmSync(context, { recursive: true, force: true });
  }
  const names = values.tag.join(", ");
  process.stdout.write(`${names}: ${sizeOf(tool, values.tag[0])}, built with ${tool}\n`);
}

/** On the disk of the checkout: a temporary one may be too small, or keep no capabilities. */
function newFolder() {
  mkdirSync(join(ROOT, "dist"), { recursive: true });
  return mkdtempSync(join(ROOT, "dist", "image-"));
}

function chooseTool(wanted, order) {
  if (wanted !== undefined && !order.includes(wanted)) {
    throw new Error(`--with ${wanted}: expected ${order.join(", ")}`);
  }
  const names = wanted === undefined ? order : [wanted];
  const found = names.find((name) => {
    const probe = spawnSync(name, TOOLS[name].probe, { stdio: "ignore", timeout: PROBE_MS_MAX });
    return probe.status === 0;
  });
  if (found === undefined) throw new Error(`none of these works here: ${names.join(", ")}`);
  return found;
}

/** The commit that is built, or "unknown" in a tree without git. */
function revision() {
  const git = spawnSync("git", ["rev-parse", "HEAD"], { cwd: ROOT, encoding: "utf8" });
  return git.status === 0 ? git.stdout.trim() : "unknown";
}

function run(tool, args) {
  const ended = spawnSync(tool, args, { stdio: ["ignore", "inherit", "inherit"] });
  if (ended.error) throw ended.error;
  if (ended.status !== 0) throw new Error(`${tool} ${args[0]} failed (${ended.status})`);
}

/** As the tool tells it: unpacked. */
function sizeOf(tool, tag) {
  const args = ["images", "--format", "{{.Size}}", tag];
  return execFileSync(tool, args, { encoding: "utf8" }).trim().split("\n")[0];
}
