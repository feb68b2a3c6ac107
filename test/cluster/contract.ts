/** The contract of list, watch and writes, on the real API server: what the double must match. */
import { test } from "uvu";
import { openClient } from "../contract/client.ts";
import { READS } from "../contract/read.cases.ts";
import type { Target } from "../contract/target.cases.ts";
import { WRITES } from "../contract/write.cases.ts";
import { compact, makeAccount, makeNamespace, openReal, type Real } from "./access.ts";

const real = await openReal();

for (const { name, needs, run } of [...READS, ...WRITES]) {
  const able = needs !== "compact" || real.etcd !== "";
  if (!able) console.log(`skip: ${name}: the history of this cluster is not ours`);
  (able ? test : test.skip)(name, async () => {
    const target = await targetOf(real);
    await run(target);
    await real.admin.ask("DELETE", `/api/v1/namespaces/${target.namespace}`);
  });
}

async function targetOf(real: Real): Promise<Target> {
  const namespace = await makeNamespace(real, "contract");
  const { server, ca } = real.connection;
  const as = (token: string) => openClient({ server, token, ...(ca === undefined ? {} : { ca }) });
  return {
    admin: real.admin,
    denied: as(await makeAccount(real, namespace, "nobody")),
    user: `system:serviceaccount:${namespace}:nobody`,
    unknown: as("nobody-issued-this"),
    namespace,
    compact: real.etcd === "" ? null : () => compact(real),
    validates: true,
  };
}

test.run();
