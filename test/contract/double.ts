/** The contract of list, watch and writes, on the double: it must not be easier than Kubernetes. */
import { test } from "uvu";
import { startApiServer } from "../apiserver.ts";
import { openClient } from "./client.ts";
import { READS } from "./read.cases.ts";
import { ask } from "./target.cases.ts";
import { WRITES } from "./write.cases.ts";

const USER = "system:serviceaccount:default:nobody";
const ADMIN = "admin";

const server = startApiServer();
server.guard.tokens.set(ADMIN, ADMIN).set("nobody", USER);
server.deny({ user: USER });
const as = (token: string) => openClient({ server: server.url, token });
let count = 0;

for (const { name, needs, run } of [...READS, ...WRITES]) {
  if (needs === "validates") continue;
  test(name, async () => {
    const namespace = `contract-${count++}`;
    const body = { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } };
    await ask(as(ADMIN), "POST", "/api/v1/namespaces", { status: 201, body });
    const compact = (): Promise<void> => Promise.resolve(server.compact());
    const [admin, denied, unknown] = [as(ADMIN), as("nobody"), as("nobody-issued-this")];
    await run({ admin, denied, user: USER, unknown, namespace, compact, validates: false });
  });
}

test.after(() => server.stop());

test.run();
