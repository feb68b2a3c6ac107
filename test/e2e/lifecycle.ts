/** How rind starts, refuses to start, and ends. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { alive, get, manifestsOf, runToEnd, startRind, until } from "./program.ts";

/** An origin that answers when the test lets it. */
type Origin = { server: Server; port: number; asked: Socket[] };

/** Absence of an exit code. */
const NONE = -1;

const lifecycle = suite("lifecycle");
let origin: Origin;
let folder = "";

lifecycle.before(async () => {
  const asked: Socket[] = [];
  const server = createServer((socket) => {
    socket.on("error", () => socket.destroy());
    socket.on("data", () => asked.push(socket));
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", () => listening()));
  const at = server.address();
  origin = { server, port: at === null || typeof at === "string" ? 0 : at.port, asked };
  folder = mkdtempSync(join(tmpdir(), "rind-e2e-"));
  writeFileSync(join(folder, "slow.json"), manifestsOf("slow", origin.port));
});

lifecycle.after(() => {
  for (const socket of origin.asked) socket.destroy();
  origin.server.close();
  rmSync(folder, { recursive: true });
});

function run(workers: number): readonly string[] {
  return ["run", "--manifests", folder, "--workers", String(workers), "--lame-duck", "0s"];
}

for (const workers of [0, 1, 2]) {
  lifecycle(`a request that runs is finished before the end, workers=${workers}`, async () => {
    const rind = await startRind(run(workers));
    const answer = rind.get("slow.example");
    await until("the origin is asked", () => origin.asked.length > 0);
    process.kill(rind.pid, "SIGTERM");
    await until("nothing new is accepted", async () => {
      const { ready, reason } = await rind.readiness();
      assert.is(reason, ready ? "" : "draining");
      return !ready && !(await reachable(rind.port));
    });
    origin.asked.pop()!.end("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate");
    assert.is((await answer).body, "late");
    assert.is(await rind.exited, 0);
  });
}

lifecycle("a drain has an end: what does not finish is cut", async () => {
  const rind = await startRind([...run(2), "--drain", "200ms"]);
  const answer = rind.get("slow.example").then(
    (got) => String(got.status),
    () => "cut",
  );
  await until("the origin is asked", () => origin.asked.length > 0);
  assert.is(await rind.stop(), 0);
  assert.is.not(await answer, "200");
  await until("the log tells", () =>
    /is cut connections=1\n[^]*rind has ended/.test(rind.output()),
  );
  origin.asked.pop()!.destroy();
});

lifecycle("a second signal does not wait", async () => {
  const rind = await startRind(run(2));
  const { workers } = await rind.readiness();
  const answer = rind.get("slow.example").catch(() => "cut");
  await until("the origin is asked", () => origin.asked.length > 0);
  let code = NONE;
  void rind.exited.then((exit) => {
    code = exit;
  });
  // Signals close together count as one: only those that follow later are a second one.
  await until("it is gone", () => {
    if (code === NONE) process.kill(rind.pid, "SIGTERM");
    return code !== NONE;
  });
  assert.is(code, 130);
  assert.is(await answer, "cut");
  await until("no worker is left", () => workers.every(({ pid }) => !alive(pid)));
  origin.asked.pop()!.destroy();
});

lifecycle("what the folder holds that rind is called in is not run", async () => {
  const cwd = mkdtempSync(join(tmpdir(), "rind-e2e-"));
  writeFileSync(join(cwd, "bunfig.toml"), 'preload = ["./preload.ts"]\n');
  writeFileSync(join(cwd, "preload.ts"), 'console.error("preloaded");\n');
  const rind = await startRind(run(1), cwd);
  assert.is(await rind.stop(), 0);
  assert.not.match(rind.output(), "preloaded");
  rmSync(cwd, { recursive: true });
});

lifecycle("signals that mean something to other proxies end nobody", async () => {
  const rind = await startRind(run(1));
  const pids = (await rind.readiness()).workers.map(({ pid }) => pid);
  for (const pid of [rind.pid, ...pids]) {
    for (const signal of ["SIGUSR1", "SIGUSR2"]) process.kill(pid, signal);
  }
  for (const signal of ["SIGUSR1", "SIGUSR2"]) {
    await until(`${signal} was heard`, () => rind.output().includes(`signal=${signal}`));
  }
  assert.is((await rind.get("nobody.example")).status, 404);
  assert.equal(
    (await rind.readiness()).workers.map(({ pid }) => pid),
    pids,
  );
  assert.is(await rind.stop(), 0);
});

lifecycle("workers do not outlive a supervisor that was killed", async () => {
  const rind = await startRind(run(2));
  const { workers } = await rind.readiness();
  assert.is(workers.length, 2);
  process.kill(rind.pid, "SIGKILL");
  await rind.exited;
  await until("no worker is left", () => workers.every(({ pid }) => !alive(pid)));
});

lifecycle("an address that is taken is a clear message and exit code 1", async () => {
  const taken = `127.0.0.1:${origin.port}`;
  for (const flag of ["http", "admin"]) {
    const other = flag === "http" ? "admin" : "http";
    const doors = [`--${flag}`, taken, `--${other}`, "127.0.0.1:0"];
    const [code, output] = await runToEnd([...run(2), ...doors]);
    assert.is(code, 1);
    assert.match(output, `cannot listen on ${taken}: another program listens there`);
    assert.match(output, new RegExp(`--${flag} 127\\.0\\.0\\.1:\\d+`));
  }
});

lifecycle("a folder that does not exist is not served as an empty one", async () => {
  const missing = join(folder, "nope");
  const doors = ["--http", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
  const [code, output] = await runToEnd([...run(1), "--manifests", missing, ...doors]);
  assert.is(code, 1);
  assert.match(output, `--manifests ${missing} does not exist`);
});

lifecycle("a second rind does not creep onto a port of the first", async () => {
  const rind = await startRind(run(1));
  for (const [http, admin] of [
    [rind.port, 0],
    [0, rind.adminPort],
  ]) {
    const doors = ["--http", `127.0.0.1:${http}`, "--admin", `127.0.0.1:${admin}`];
    const [code, output] = await runToEnd([...run(1), ...doors]);
    assert.is(code, 1);
    assert.match(output, "another program listens there");
  }
  assert.is(await rind.stop(), 0);
});

lifecycle("routes and check tell what would be served", async () => {
  const [routesCode, routes] = await runToEnd(["routes", folder]);
  assert.is(routesCode, 0);
  assert.match(routes, /^slow\.example\n/);
  assert.match(routes, `default/slow:80  127.0.0.1:${origin.port}`);
  assert.equal(await runToEnd(["check", folder]), [0, "0 errors, 0 warnings\n"]);
  const other =
    "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: { name: a }\n" +
    "spec: { ingressClassName: nginx }\n";
  const [, passed] = await runToEnd(["check", "-"], other);
  assert.match(passed, /^0 errors, 0 warnings\nIngresses not looked at: 1 of class nginx; --class/);
  const broken = "apiVersion: v1\nkind: Service\nmetadata: {}\n";
  const [checkCode, findings] = await runToEnd(["check", "-"], broken);
  assert.is(checkCode, 1);
  assert.match(findings, /metadata\.name/);
  const [missing, reason] = await runToEnd(["routes", join(folder, "nope")]);
  assert.is(missing, 1);
  assert.match(reason, "does not exist");
});

lifecycle("routes of a running rind are those of its folder", async () => {
  const rind = await startRind(run(1));
  const [, expected] = await runToEnd(["routes", folder]);
  const admin = `127.0.0.1:${rind.adminPort}`;
  assert.equal(await runToEnd(["routes", "--admin", admin]), [0, expected]);
  assert.is(await rind.stop(), 0);
  assert.is((await runToEnd(["routes", "--admin", admin]))[0], 1);
});

lifecycle("limits are listed as --limit takes them", async () => {
  const [code, output] = await runToEnd(["limits"]);
  assert.is(code, 0);
  const rows = output.trimEnd().split("\n");
  for (const row of rows) assert.match(row, /^[a-z-]+ +\d+[a-z]* {2}\S/);
  const limits = rows.flatMap((row) => ["--limit", row.split(/ +/, 2).join("=")]);
  const [again, reason] = await runToEnd(["run", ...limits]);
  assert.is(again, 2);
  assert.match(reason, "what shall be served?");
});

const WRONG: readonly [string, RegExp][] = [
  ["", /rind run/],
  ["rutes", /did you mean routes\?/],
  ["run", /--manifests DIR/],
  ["run --manifest x", /did you mean --manifests\?/],
  ["run --kubeconfig x --manifests y", /give one of them/],
  ["run --limit head=0s", /--limit: head: 0s is not in 1ms to 168h/],
  ["run --http :80 --admin 0.0.0.0:80", /--admin: 0\.0\.0\.0:80 is an address for HTTP already/],
  ["check", /Give a folder/],
  ["routes", /Give a folder/],
  ["check a b", /"b" is one too many/],
];

lifecycle("a wrong call is exit code 2 with the likely fix", async () => {
  for (const [line, text] of WRONG) {
    const [code, output] = await runToEnd(line.split(" ").filter((word) => word !== ""));
    assert.is(code, 2, line);
    assert.match(output, text);
  }
  const [code, output] = await runToEnd(["--version"]);
  assert.is(code, 0);
  assert.match(output, /^rind \d+\.\d+\.\d+\n$/);
});

async function reachable(port: number): Promise<boolean> {
  return get(port, "nobody", "/").then(
    () => true,
    () => false,
  );
}

lifecycle.run();
