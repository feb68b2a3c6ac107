import { suite } from "uvu";
import * as assert from "uvu/assert";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fakeClock } from "../../../../core/clock.ts";
import { until } from "./fixture/cluster.ts";
import { readAccess, type Whereabouts } from "../access.ts";
import { readAccount } from "../pod.ts";

const test = suite("access");

const folder = mkdtempSync(join(tmpdir(), "rind-access-"));
test.after(() => rmSync(folder, { recursive: true }));

const OUTSIDE = { context: null, host: "", port: "", account: join(folder, "account") };

type Raw = Readonly<Record<string, unknown>>;

/** A file in the folder of the test. */
function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

/** A kubeconfig of one cluster, user and context, all called `name`. */
function config(name: string, cluster: Raw, user: Raw, more: Raw = {}): string {
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    "current-context": name,
    clusters: [{ name, cluster: { server: "https://10.0.0.1:6443/", ...cluster } }],
    users: [{ name, user }],
    contexts: [{ name, context: { cluster: name, user: name, namespace: "edge" } }],
    ...more,
  });
}

async function accessOf(where: Partial<Whereabouts>) {
  const read = await readAccess({ ...OUTSIDE, kubeconfig: null, ...where });
  if (!read.ok) throw new Error(read.reason);
  return read.access;
}

async function reasonOf(where: Partial<Whereabouts>): Promise<string> {
  const read = await readAccess({ ...OUTSIDE, kubeconfig: null, ...where });
  return read.ok ? "" : read.reason.replaceAll(folder, "");
}

const base64 = (text: string): string => Buffer.from(text).toString("base64");

test("where the server is, and which namespace and context are meant", async () => {
  const kubeconfig = file("plain", config("prod", {}, { token: "t" }));
  const { server, namespace, from } = await accessOf({ kubeconfig });
  assert.equal([server, namespace], ["https://10.0.0.1:6443", "edge"]);
  assert.is(from, `${kubeconfig}, context prod`);
});

test("what a user and a cluster of a kubeconfig become", async () => {
  file("ca.pem", "CA OF A FILE");
  file("token", "token of a file\n");
  const rows: readonly [name: string, cluster: Raw, user: Raw, wanted: Raw][] = [
    ["token", {}, { token: "t" }, { headers: { authorization: "Bearer t" } }],
    [
      "password",
      {},
      { username: "u", password: "p" },
      { headers: { authorization: "Basic dTpw" } },
    ],
    [
      "tokenFile",
      {},
      { tokenFile: "token" },
      { headers: { authorization: "Bearer token of a file" } },
    ],
    ["ca", { "certificate-authority-data": base64("CA") }, {}, { ca: "CA" }],
    ["ca file", { "certificate-authority": "ca.pem" }, {}, { ca: "CA OF A FILE" }],
    [
      "client certificate",
      {},
      { "client-certificate-data": base64("CERT"), "client-key-data": base64("KEY") },
      { cert: "CERT", key: "KEY" },
    ],
    ["no verifying", { "insecure-skip-tls-verify": true }, {}, { verify: false }],
    ["name", { "tls-server-name": "kube" }, {}, { serverName: "kube" }],
    ["plain http", { server: "http://127.0.0.1:8080" }, { token: "t" }, { ca: null }],
  ];
  for (const [name, cluster, user, wanted] of rows) {
    const kubeconfig = file("user", config("one", cluster, user));
    const credentials = await (await accessOf({ kubeconfig })).credentials();
    for (const [field, value] of Object.entries(wanted)) {
      assert.equal((credentials as Raw)[field], value, name);
    }
  }
});

test("a context without a user still trusts the authority of its cluster", async () => {
  const contexts = [{ name: "one", context: { cluster: "one" } }];
  const cluster = { "certificate-authority-data": base64("CA") };
  const kubeconfig = file("nobody", config("one", cluster, {}, { contexts }));
  const { ca, headers } = await (await accessOf({ kubeconfig })).credentials();
  assert.equal([ca, headers], ["CA", {}]);
});

test("several files are one; of two things with one name the first counts", async () => {
  const first = file("first", config("a", { server: "https://a:1" }, { token: "a" }));
  const second = file("second", config("b", { server: "https://b:1" }, { token: "b" }));
  const again = file("again", config("a", { server: "https://z:1" }, { token: "z" }));
  const kubeconfig = `${first}:${second}:${again}`;
  assert.is((await accessOf({ kubeconfig })).server, "https://a:1");
  const other = await accessOf({ kubeconfig, context: "b" });
  assert.is(other.server, "https://b:1");
  assert.equal((await other.credentials()).headers, { authorization: "Bearer b" });
});

test("in a pod: the service account, whose token is read for each request", async () => {
  const { account } = OUTSIDE;
  mkdirSync(account);
  writeFileSync(join(account, "token"), "first\n");
  writeFileSync(join(account, "ca.crt"), "CA");
  writeFileSync(join(account, "namespace"), "rind\n");
  const access = await accessOf({ host: "fd00::1", port: "443" });
  assert.equal([access.server, access.namespace], ["https://[fd00::1]:443", "rind"]);
  const first = await access.credentials();
  assert.equal([first.headers, first.ca], [{ authorization: "Bearer first" }, "CA"]);
  writeFileSync(join(account, "token"), "second\n");
  assert.equal((await access.credentials()).headers, { authorization: "Bearer second" });
  rmSync(join(account, "ca.crt"));
  assert.is((await access.credentials()).ca, null);
  rmSync(join(account, "token"));
  const reason = await access.credentials().then(
    () => "",
    (error: unknown) => String(error),
  );
  assert.match(reason, /ENOENT.*account\/token/);
});

test("whose token it is, where that can be seen", () => {
  const place = mkdtempSync(join(folder, "who-"));
  const token = (claims: unknown): string =>
    `h.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.s\n`;
  const cases: readonly (readonly [string, string])[] = [
    [token({ sub: "system:serviceaccount:ingress:edge-rind" }), "ingress:edge-rind"],
    [token({ sub: "system:serviceaccount:ingress:$(id)" }), ""],
    [token({ sub: "admin" }), ""],
    [token({}), ""],
    [token(null), ""],
    ["opaque\n", ""],
  ];
  assert.is(readAccount(place), "", "no token");
  for (const [text, account] of cases) {
    writeFileSync(join(place, "token"), text);
    assert.is(readAccount(place), account, text);
  }
});

test("a plugin is run for its credentials, and again after a 401", async () => {
  const counter = join(folder, "runs");
  const plugin = file(
    "plugin",
    `#!/bin/sh\necho x >> ${counter}\n` +
      'echo \'{"kind":"ExecCredential","status":{"token":"run-\'$(wc -l < ' +
      `${counter})'"}}'\n`,
  );
  chmodSync(plugin, 0o755);
  const exec = { apiVersion: "client.authentication.k8s.io/v1", command: plugin, args: [] };
  const access = await accessOf({ kubeconfig: file("exec", config("one", {}, { exec })) });
  const [first] = await Promise.all([access.credentials(), access.credentials()]);
  for (const run of [1, 2, 2]) {
    // A late answer to the old token is no reason to run it a third time.
    if (run === 2) access.renew(first);
    const { headers } = await access.credentials();
    assert.equal(headers, { authorization: `Bearer run-${run}` });
  }
});

test("credentials are not read from a file that is about another server by now", async () => {
  const kubeconfig = file("moved", config("one", { server: "https://a:1" }, { token: "a" }));
  const access = await accessOf({ kubeconfig });
  const before = await access.credentials();
  file("moved", config("one", { server: "https://b:1" }, { token: "b" }));
  access.renew(before);
  const reason = await access.credentials().then(
    () => "",
    (error: unknown) => String(error),
  );
  assert.match(reason, /about another server now, https:\/\/b:1: restart rind/);
});

test("a plugin that hangs is run once more, after a while", async () => {
  const counter = join(folder, "hangs");
  const done = join(folder, "done");
  const hang = `touch ${counter}; until [ -e ${done} ]; do sleep 0.02; done; exit 1`;
  const answer = `echo '{"kind":"ExecCredential","status":{"token":"second"}}'`;
  const plugin = file("hanging", `#!/bin/sh\n[ -e ${counter} ] || { ${hang}; }\n${answer}\n`);
  chmodSync(plugin, 0o755);
  const clock = fakeClock();
  const exec = { apiVersion: "client.authentication.k8s.io/v1", command: plugin, args: [] };
  const kubeconfig = file("hang", config("one", {}, { exec }));
  const read = await readAccess({ ...OUTSIDE, kubeconfig }, clock);
  if (!read.ok) throw new Error(read.reason);
  const first = read.access.credentials().then(
    () => "answered",
    () => "failed",
  );
  await until(() => existsSync(counter), "the first run");
  clock.advance(30_000);
  const { headers } = await read.access.credentials();
  assert.equal(headers, { authorization: "Bearer second" });
  writeFileSync(done, "");
  assert.is(await first, "failed");
});

test("credentials that cannot be read are rejected with what is wrong", async () => {
  const rows: readonly [Raw, Raw, RegExp][] = [
    [
      {},
      { exec: { command: "/nowhere/plugin" } },
      /credentials cannot be read .*\/nowhere\/plugin/,
    ],
    [{}, { tokenFile: "/nowhere/token" }, /credentials cannot be read .*\/nowhere\/token/],
    [{ "certificate-authority": "/nowhere/ca" }, {}, /credentials cannot be read .*\/nowhere\/ca/],
  ];
  for (const [cluster, user, wanted] of rows) {
    const access = await accessOf({ kubeconfig: file("bad", config("one", cluster, user)) });
    const reason = await access.credentials().then(
      () => "",
      (error: unknown) => String(error),
    );
    assert.match(reason, wanted);
  }
});

test("what cannot be used is refused with the file and what to do", async () => {
  const good = config("one", {}, {});
  const rows: readonly [Partial<Whereabouts>, string | RegExp][] = [
    [{}, /^not in a cluster: KUBERNETES_SERVICE_HOST and .* are not set; give a kubeconfig$/],
    [
      { host: "10.0.0.1", port: "443", account: join(folder, "none") },
      /no service account token: \/none\/token does not exist; is automountServiceAccountToken off/,
    ],
    [{ kubeconfig: "/nowhere" }, "kubeconfig /nowhere cannot be read: there is no such file"],
    [{ kubeconfig: "" }, "the path of the kubeconfig is empty"],
    [{ kubeconfig: file("q", "a: [") }, /^kubeconfig \/q cannot be read: /],
    [{ kubeconfig: file("r", "") }, "/r is no kubeconfig: it holds no map"],
    [
      { kubeconfig: file("x", good), context: "two" },
      "kubeconfig /x has no context two; it has one",
    ],
    [
      { kubeconfig: file("y", config("one", {}, {}, { "current-context": "" })) },
      "kubeconfig /y has no current context; choose one: it has one",
    ],
    [
      { kubeconfig: file("z", config("one", {}, {}, { clusters: [] })) },
      "kubeconfig /z has no cluster one, of context one",
    ],
    [
      { kubeconfig: file("v", config("one", {}, {}, { users: [] })) },
      "kubeconfig /v has no user one, of context one",
    ],
    [
      { kubeconfig: file("w", config("one", { server: "kube.example" }, {})) },
      "kubeconfig /w has a server that is no URL: kube.example",
    ],
    [
      { kubeconfig: file("p", config("one", { "proxy-url": "http://p:1" }, {})) },
      "kubeconfig /p has a proxy-url, which rind does not follow",
    ],
  ];
  for (const [where, wanted] of rows) {
    const reason = await reasonOf(where);
    if (typeof wanted === "string") assert.is(reason, wanted);
    else assert.match(reason, wanted);
  }
});

test.run();
