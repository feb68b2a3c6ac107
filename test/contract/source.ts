/** rind's source on the double; test/cluster/source.ts is the same on the real server. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import { kubeconfigOf, startApiServer } from "../apiserver.ts";
import { openClient } from "./client.ts";
import { FOLLOWING } from "./source.cases.ts";

const USER = "system:serviceaccount:default:rind";
const RESOURCES = ["ingresses", "services", "endpointslices", "secrets", "ingressclasses"];

const folder = mkdtempSync(join(tmpdir(), "rind-contract-"));
const kubeconfig = join(folder, "kubeconfig");
let count = 0;

for (const { name, run } of FOLLOWING) {
  test(name, async () => {
    const server = startApiServer();
    server.guard.tokens.set("admin", "admin").set("rind", USER);
    writeFileSync(kubeconfig, kubeconfigOf(server, { token: "rind" }));
    const admin = openClient({ server: server.url, token: "admin" });
    let allow: (() => void)[] = [];
    const permit = (resources: readonly string[]): Promise<void> => {
      for (const each of allow) each();
      const denied = RESOURCES.filter((each) => !resources.includes(each));
      allow = denied.map((resource) => server.deny({ user: USER, resource }));
      return Promise.resolve();
    };
    const namespace = `contract-${count++}`;
    const rest = { denied: admin, unknown: admin, user: USER, compact: null, validates: false };
    try {
      await run({ admin, namespace, kubeconfig, permit, ...rest });
    } finally {
      server.stop();
    }
  });
}

test.after(() => rmSync(folder, { recursive: true }));

test.run();
