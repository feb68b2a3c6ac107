/** What the roles of k8s/rind.yaml allow, and what they do not, as a real API server decides it. */
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { objectsIn } from "../../k8s/test/fixture/objects.ts";
import { until } from "../e2e/program.ts";
import { create } from "../contract/target.cases.ts";
import { makeNamespace, openReal } from "./access.ts";

const MANIFEST = join(import.meta.dir, "../../k8s/rind.yaml");
const KINDS = /^(?:ServiceAccount|(?:Cluster)?Role(?:Binding)?)$/;

const real = await openReal();
/** Also what everything is called that is called rind there, so that no other test minds. */
const name = await makeNamespace(real, "rights");
const text = JSON.stringify(
  objectsIn(await Bun.file(MANIFEST).text()).filter(({ kind }) => KINDS.test(kind)),
).replace(/"rind(-secrets)?"/g, (_, suffix = "") => `"${name}${suffix}"`);
const list = `{"apiVersion":"v1","kind":"List","items":${text}}`;

test.before(async () => {
  await real.kubectl(["apply", "-f", "-"], list);
  // Who decides learns of it a moment later.
  await until("the last binding counts", () => may("watch secrets in default named cheese"));
});

test.after(async () => {
  await real.kubectl(["delete", "--wait=false", "-f", "-"], list);
});

/** `own` is rind's namespace; `OWN` an object called as rind is. */
const ALLOWED = [
  "list ingresses.networking.k8s.io",
  "watch ingresses.networking.k8s.io in shop",
  "watch ingressclasses.networking.k8s.io",
  "watch services in shop",
  "watch endpointslices.discovery.k8s.io in shop",
  "watch namespaces",
  "patch ingresses.networking.k8s.io/status in shop",
  "create events in shop",
  "patch events in shop",
  "create leases.coordination.k8s.io in own",
  "update leases.coordination.k8s.io in own named OWN",
  "watch pods in own",
  "get secrets in default named cheese",
  "list secrets in default named cheese",
  "watch secrets in default named cheese",
];
const DENIED = [
  "list secrets",
  "list secrets in shop",
  "watch secrets in shop named cheese",
  "get secrets in shop named cheese",
  "get secrets in own named cheese",
  "update ingresses.networking.k8s.io in shop",
  "patch ingresses.networking.k8s.io in shop",
  "update services in shop",
  "patch services/status in shop",
  "update leases.coordination.k8s.io in own named other",
  "update leases.coordination.k8s.io in shop named OWN",
  "list pods in shop",
  "create pods in own",
  "create pods/exec in own",
  "get configmaps in own",
  "get nodes",
  "list events in shop",
  "delete events in shop",
  "create serviceaccounts/token in own",
  "impersonate users",
];

const PARTS = [
  "(?<verb>\\w+) (?<resource>\\w+)",
  "(?:\\.(?<group>[\\w.]+))?",
  "(?:/(?<sub>\\w+))?",
];
const SENTENCE = new RegExp(`^${PARTS.join("")}(?: in (?<where>\\w+))?(?: named (?<named>\\w+))?$`);

async function may(sentence: string): Promise<boolean> {
  const { verb, resource, group, sub, where, named } = SENTENCE.exec(sentence)!.groups!;
  const attributes = {
    verb,
    resource,
    group: group ?? "",
    subresource: sub ?? "",
    namespace: where === "own" ? name : (where ?? ""),
    name: named === "OWN" ? name : (named ?? ""),
  };
  const review = await create(real.admin, "/apis/authorization.k8s.io/v1/subjectaccessreviews", {
    apiVersion: "authorization.k8s.io/v1",
    kind: "SubjectAccessReview",
    spec: { user: `system:serviceaccount:${name}:${name}`, resourceAttributes: attributes },
  });
  return review.status.allowed === true;
}

for (const sentence of ALLOWED) {
  test(`rind may ${sentence}`, async () => assert.ok(await may(sentence)));
}
for (const sentence of DENIED) {
  test(`rind may not ${sentence}`, async () => assert.not.ok(await may(sentence)));
}

test.run();
