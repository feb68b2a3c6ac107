/** What a configuration makes of a cluster, as far as nothing is connected to. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { attach } from "../attach.ts";
import { readConfig } from "../config.ts";
import { type FlagName, readFlags } from "../flags.ts";

const ALLOWED: readonly FlagName[] = [
  "manifests",
  "kubeconfig",
  "admin",
  "without-class",
  "secrets",
];
const DEFAULTS = {
  http: "127.0.0.1:0",
  https: "none",
  admin: "127.0.0.1:8080",
  lameDuck: "0s",
  cluster: true,
};

const folder = mkdtempSync(join(tmpdir(), "rind-attach-"));
test.after(() => rmSync(folder, { recursive: true, force: true }));

function kubeconfig(server: string): string {
  const path = join(folder, "config");
  const text = {
    clusters: [{ name: "c", cluster: { server } }],
    users: [{ name: "u", user: { token: "t" } }],
    contexts: [{ name: "x", context: { cluster: "c", user: "u" } }],
    "current-context": "x",
  };
  writeFileSync(path, JSON.stringify(text));
  return path;
}

function read(line: string) {
  const given = readFlags(ALLOWED, line.split(" "), {});
  if (!given.ok) throw new Error(given.reason);
  const config = readConfig(given.value, DEFAULTS);
  if (!config.ok) throw new Error(config.reason);
  return config.value;
}

async function addressesOf(server: string, flags = "") {
  const config = read(`--kubeconfig ${kubeconfig(server)}${flags}`);
  const attached = await attach(config, config.cluster!);
  if (!attached.ok) throw new Error(attached.reason);
  return attached.value.addresses;
}

/** URLs of an API server, and where endpoints must not be because of them. */
const SERVERS: readonly [server: string, ...places: string[]][] = [
  ["https://10.0.0.1", "10.0.0.1 443"],
  ["https://10.0.0.1:6443/", "10.0.0.1 6443"],
  ["http://10.0.0.1", "10.0.0.1 80"],
  ["https://[fd00::1]:6443", "fd00::1 6443"],
  ["https://api.example:6443"],
];

for (const [server, ...places] of SERVERS) {
  test(`the API server at ${server} is no place for endpoints`, async () => {
    const { apiServer } = await addressesOf(server);
    assert.equal(
      apiServer.map(({ address, port }) => `${address} ${port}`),
      places,
    );
  });
}

test("nor is the admin address, on each address of this machine if need be", async () => {
  const places = async (flags: string): Promise<readonly string[]> =>
    (await addressesOf("https://10.0.0.1", flags)).admin.map((at) => `${at.address} ${at.port}`);
  assert.equal(await places(" --admin 192.0.2.7:9000"), ["192.0.2.7 9000"]);
  for (const any of ["0.0.0.0", "[::]"]) {
    const all = await places(` --admin ${any}:9000`);
    assert.ok(all.includes("127.0.0.1 9000"), all.join());
  }
});

test("in a cluster classes and Secrets are asked for, in a folder they are taken", () => {
  const cluster = `--kubeconfig ${kubeconfig("https://10.0.0.1")}`;
  const of = (line: string): readonly boolean[] => {
    const { adoption } = read(line);
    return [adoption.withoutClass, adoption.allSecrets];
  };
  assert.equal(of(`--manifests ${folder}`), [true, true]);
  assert.equal(of(cluster), [false, false]);
  assert.equal(of(`${cluster} --without-class`), [true, false]);
  assert.equal(of(`${cluster} --secrets all`), [false, true]);
});

test.run();
