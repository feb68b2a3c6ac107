/** rind's source on the real API server; test/contract/source.ts is the same on the double. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import { FOLLOWING } from "../contract/source.cases.ts";
import { create } from "../contract/target.cases.ts";
import { kubeconfigFor, makeAccount, makeNamespace, openReal } from "./access.ts";

const ACCOUNT = "rind";
const RBAC = { apiVersion: "rbac.authorization.k8s.io/v1", metadata: { name: ACCOUNT } };
const GROUPS = ["", "networking.k8s.io", "discovery.k8s.io"];

const real = await openReal();
const folder = mkdtempSync(join(tmpdir(), "rind-contract-"));
const kubeconfig = join(folder, "kubeconfig");

for (const { name, run } of FOLLOWING) {
  test(name, async () => {
    const { admin } = real;
    const namespace = await makeNamespace(real, "source");
    await makeAccount(real, namespace, ACCOUNT);
    writeFileSync(kubeconfig, await kubeconfigFor(real, namespace, ACCOUNT));
    const path = `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}`;
    const subjects = [{ kind: "ServiceAccount", name: ACCOUNT, namespace }];
    const roleRef = { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: ACCOUNT };
    await create(admin, `${path}/rolebindings`, {
      ...RBAC,
      kind: "RoleBinding",
      subjects,
      roleRef,
    });
    await create(admin, `${path}/roles`, { ...RBAC, kind: "Role", rules: [] });
    const permit = async (resources: readonly string[]): Promise<void> => {
      const rules = [{ apiGroups: GROUPS, resources, verbs: ["get", "list", "watch"] }];
      const body = { ...RBAC, kind: "Role", rules };
      await admin.ask("PUT", `${path}/roles/${ACCOUNT}`, { body });
    };
    const rest = { denied: admin, unknown: admin, user: "", compact: null, validates: true };
    await run({ admin, namespace, kubeconfig, permit, ...rest });
    await admin.ask("DELETE", `/api/v1/namespaces/${namespace}`);
  });
}

test.after(() => rmSync(folder, { recursive: true }));

test.run();
