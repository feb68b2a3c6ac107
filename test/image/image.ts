/**
 * The image, built and run as a pod would run it: another user than root, a read-only root, no
 * privilege escalation, every capability dropped but the one for low ports, the default seccomp
 * profile, and the network of the machine.
 */
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { version } from "../../package.json";
import { startApiServer } from "../apiserver.ts";
import { makeAuthority } from "../apiserver/authority.ts";
import { alive, manifestsOf, until } from "../e2e/program.ts";
import { buildImage, cannotBuild, cannotRun, contextOf, runImage, served } from "./container.ts";
import { classOf, ingressOf } from "./objects.ts";
import { podIn } from "./pod.ts";
import type { Container, Image, Run } from "./container.ts";

const ROOT = join(import.meta.dir, "../..");
const BYTES_MAX = 120_000_000;
const NET_BIND_SERVICE = "CAP_NET_BIND_SERVICE";
/** A loopback address of our own: nobody else listens on its port 80. */
const HOST = `127.${[14, 7, 0].map((bits) => 1 + ((process.pid >> bits) & 127)).join(".")}`;

const image = suite("image");
const folder = mkdtempSync(join(tmpdir(), "rind-image-"));
const unbuilt = cannotBuild();
// Who keeps files to themselves builds the same image.
const umask = process.umask(0o077);
const built = unbuilt === "" ? buildImage(folder) : null;
process.umask(umask);
const unrun = built === null ? unbuilt : cannotRun(built, folder);
if (unbuilt !== "") console.log(`skip: images are not built: ${unbuilt}`);
else if (unrun !== "") console.log(`skip: containers are not run: ${unrun}`);
const buildable = built === null ? image.skip : image;
const runnable = unrun === "" ? image : image.skip;

image.after(() => rmSync(folder, { recursive: true }));

function theImage(): Image {
  if (built === null) throw new Error("skipped without an image");
  return built;
}

/** Runs the image for `body`, then asks for its end. */
async function withContainer(how: Run, body: (container: Container) => Promise<void>) {
  const container = runImage(theImage(), { noNewPrivileges: true, ...how }, folder);
  try {
    await served(container);
    await body(container);
    container.signal("TERM");
    assert.is(await container.exited, 0, container.output());
    assert.match(container.output(), "rind has ended");
  } finally {
    container.signal("KILL");
    await container.exited;
  }
}

/** A folder that the user in the container may read, as they may not read temporary ones. */
function openFolder(files: Readonly<Record<string, string>>): string {
  const path = mkdtempSync(join(folder, "volume-"));
  chmodSync(path, 0o755);
  for (const [name, text] of Object.entries(files)) writeFileSync(join(path, name), text);
  return path;
}

function run(port: number, capabilities: readonly string[]): Run {
  const doors = ["--http", `${HOST}:${port}`, "--https", "none", "--admin", `${HOST}:8080`];
  const manifests = ["--manifests", "/manifests", "--workers", "2", "--lame-duck", "0s"];
  const shop = openFolder({ "shop.json": manifestsOf("shop", origin.port!) });
  const volumes = new Map([["/manifests", shop]]);
  return { args: ["run", ...doors, ...manifests], capabilities, volumes };
}

async function get(host: string, port: number): Promise<[number, string]> {
  const answer = await fetch(`http://${HOST}:${port}/`, { headers: { host } });
  return [answer.status, await answer.text()];
}

function childrenOf(pid: number): number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim();
  return text === "" ? [] : text.split(" ").map(Number);
}

/** What the kernel says of a process: `Uid`, `CapEff`, `NoNewPrivs` … */
function statusOf(pid: number, field: string): string {
  const text = readFileSync(`/proc/${pid}/status`, "utf8");
  return new RegExp(`^${field}:\\s+(\\S+)`, "m").exec(text)?.[1] ?? "";
}

let origin: Bun.Server<undefined>;
image.before(() => {
  origin = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response("from afar") });
});
image.after(() => origin.stop(true));

buildable("it is small, names its user by number, and says what it is", () => {
  const { root, config } = theImage();
  const paths = readdirSync(root, { recursive: true }).map((path) => join(root, String(path)));
  const files = paths.map((path) => statSync(path)).filter((stat) => stat.isFile());
  const bytes = files.reduce((sum, { size }) => sum + size, 0);
  console.log(`note: the image holds ${Math.round(bytes / 1e5) / 10} MB`);
  assert.ok(bytes < BYTES_MAX, `${bytes} bytes`);
  assert.is(config.User, "65532:65532");
  assert.equal(config.Entrypoint, ["/rind"]);
  assert.is(config.Labels["org.opencontainers.image.version"], version);
});

buildable("everybody may read it and nobody write to it, but for /tmp", () => {
  const { root } = theImage();
  for (const path of readdirSync(root, { recursive: true }).map(String)) {
    const { mode } = statSync(join(root, path));
    if (path === "tmp") assert.is(mode & 0o7777, 0o1777);
    else assert.is(mode & 0o022, 0, path);
    assert.is(mode & 0o004, 0o004, path);
  }
});

buildable("the binary may be permitted low ports, and starts where it is not", () => {
  const told = Bun.spawnSync(["getcap", join(theImage().root, "rind")]).stdout.toString();
  assert.match(told, /cap_net_bind_service=p$/m);
});

runnable("a pod listens on port 80, and only its supervisor could do so again", async () => {
  await withContainer(run(80, [NET_BIND_SERVICE]), async (container) => {
    await until("it serves", async () => (await get("shop.example", 80))[0] === 200);
    assert.equal(await get("shop.example", 80), [200, "from afar"]);
    const supervisor = container.pid();
    const workers = childrenOf(supervisor);
    assert.is(workers.length, 2);
    for (const pid of [supervisor, ...workers]) {
      assert.is(statusOf(pid, "Uid"), "65532");
      assert.is(statusOf(pid, "NoNewPrivs"), "1");
      assert.is(statusOf(pid, "CapBnd"), "0000000000000400");
    }
    assert.is(statusOf(supervisor, "CapEff"), "0000000000000400");
    for (const pid of workers) assert.is(statusOf(pid, "CapEff"), "0000000000000000");
  });
});

runnable("a worker that dies in a pod comes back", async () => {
  await withContainer(run(80, [NET_BIND_SERVICE]), async (container) => {
    const [victim] = childrenOf(container.pid());
    process.kill(victim!, "SIGKILL");
    await until("another took its place", async () => {
      const answer = await fetch(`http://${HOST}:8080/readyz`);
      const there = childrenOf(container.pid());
      return answer.ok && there.length === 2 && !there.includes(victim!) && !alive(victim!);
    });
    assert.is((await get("shop.example", 80))[0], 200);
  });
});

runnable("without a capability it serves a high port", async () => {
  await withContainer(run(8_000, []), async (container) => {
    await until("it serves", async () => (await get("shop.example", 8_000))[0] === 200);
    assert.is(statusOf(container.pid(), "CapBnd"), "0000000000000000");
  });
});

runnable("without a capability a low port is refused by name", async () => {
  const args = ["demo", "--http", `${HOST}:80`, "--admin", `${HOST}:8080`];
  const container = runImage(theImage(), { args }, folder);
  assert.is(await container.exited, 1);
  await until("it says why", () => container.output().includes(`cannot listen on ${HOST}:80`));
});

runnable("told nothing, it serves the lesson", async () => {
  const args = theImage().config.Cmd.map((word) => word.replace("0.0.0.0", HOST));
  await withContainer({ args }, async () => {
    const plate = "cheeseplate.127.0.0.1.nip.io";
    await until("it serves", async () => (await get(plate, 8_000))[0] === 200);
    assert.match((await get(plate, 8_000))[1], /<title>(Cheddar|Stilton|Wensleydale)/);
    // Every address but loopback: what docker publishes does not reach that one.
    const tls = { rejectUnauthorized: false };
    assert.ok((await fetch(`https://${HOST}:8443/`, { tls, headers: { host: plate } })).ok);
  });
});

runnable("the pod of k8s/rind.yaml follows the cluster it is in", async () => {
  const authority = makeAuthority();
  // In a pod the API server is always asked over TLS.
  if (authority === null) return console.log("skip: no openssl for the API server's certificate");
  const server = startApiServer({ authority });
  server.put(classOf("rind"));
  server.put(ingressOf("shop"));
  const account = { token: "t", "ca.crt": authority.ca, namespace: "rind" };
  const pod = podIn(join(ROOT, "k8s/rind.yaml"), openFolder(account));
  const env = [
    ...pod.env.filter((line) => !/^RIND_(HTTP|ADMIN|LAME_DUCK)=/.test(line)),
    `RIND_HTTP=${HOST}:80`,
    `RIND_ADMIN=${HOST}:8080`,
    "RIND_LAME_DUCK=0s",
    "KUBERNETES_SERVICE_HOST=127.0.0.1",
    `KUBERNETES_SERVICE_PORT=${server.port}`,
  ];
  try {
    await withContainer({ ...pod, env }, async (container) => {
      // A host without a pod is known, and answered so.
      await until("it is ready", async () => (await fetch(`http://${HOST}:8080/readyz`)).ok);
      assert.is((await get("shop.example", 80))[0], 503);
      const state = `/proc/${container.pid()}/root${pod.memory[0]}`;
      await until("it keeps what it serves", () => readdirSync(state).length > 0);
    });
  } finally {
    server.stop();
  }
});

buildable("what Dockerfile is given compiles, and nothing else is in it", () => {
  const context = contextOf(folder);
  for (const name of [".git", "node_modules", "dist", "test"]) {
    assert.not.ok(existsSync(join(context, name)), name);
  }
  // What `npm ci` would make of the lockfile in it.
  symlinkSync(join(ROOT, "node_modules"), join(context, "node_modules"));
  const binary = join(folder, "rind");
  const made = Bun.spawnSync(["node", "scripts/compile.mjs", binary], { cwd: context });
  assert.is(made.exitCode, 0, made.stderr.toString());
  assert.is(Bun.spawnSync([binary, "--version"]).stdout.toString(), `rind ${version}\n`);
});

image("an image is not laid out over something else", () => {
  const precious = mkdtempSync(join(tmpdir(), "rind-root-"));
  writeFileSync(join(precious, "thesis"), "");
  const laid = Bun.spawnSync(["node", join(ROOT, "scripts", "root.mjs"), precious]);
  assert.is(laid.exitCode, 1);
  assert.match(laid.stderr.toString(), "is not empty");
  assert.equal(readdirSync(precious), ["thesis"]);
  rmSync(precious, { recursive: true });
});

image("both Dockerfiles say the same about the image", () => {
  const tail = (name: string): string => {
    const lines = readFileSync(join(ROOT, name), "utf8").split("\n");
    return lines.slice(lines.lastIndexOf("FROM scratch") + 2).join("\n");
  };
  assert.match(tail("Dockerfile"), "ENTRYPOINT");
  assert.is(tail("Dockerfile.scratch"), tail("Dockerfile"));
});

image.run();
