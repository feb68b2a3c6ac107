/** What an Ingress asks of handshakes, from the objects to the model: bounds and edits. */
import { test } from "uvu";
import * as assert from "uvu/assert";

import { openAuthority } from "../../../test/pki.ts";
import type { KubeObject } from "../../objects.ts";
import { readObject } from "../../objects.ts";
import { Store } from "../../store.ts";
import type { Translation } from "../draft.ts";
import { translate } from "../translate.ts";
import { Translator } from "../translator.ts";
import { OPTIONS, snapshotOfRaw } from "./fixture/manifests.ts";

const NAMESPACE = "shop";
const A = openAuthority("a").certificate;
const B = openAuthority("b").certificate;
const CA = { "rind.dev/client-ca": "ca" };

type Raw = Readonly<Record<string, unknown>>;

function secretOf(bundle: string): Raw {
  const metadata = { name: "ca", namespace: NAMESPACE };
  return { apiVersion: "v1", kind: "Secret", metadata, stringData: { "ca.crt": bundle } };
}

function ingressOf(name: string, hosts: readonly string[], annotations: Raw = CA): Raw {
  const path = {
    path: `/${name}`,
    pathType: "Prefix",
    backend: { service: { name: "web", port: { number: 80 } } },
  };
  return {
    apiVersion: "networking.k8s.io/v1",
    kind: "Ingress",
    metadata: { name, namespace: NAMESPACE, annotations },
    spec: { rules: hosts.map((host) => ({ host, http: { paths: [path] } })) },
  };
}

function objectOf(raw: Raw): KubeObject {
  const { object } = readObject(raw, "test");
  if (object === null) throw new Error("the object of the test cannot be read");
  return object;
}

function clientOf({ model }: Translation, host: string): string {
  const client = model.secure.find(({ name }) => name === host)?.policy?.client ?? null;
  return client === null ? "anybody" : `${client.verify} ${client.authorities === A ? "A" : "B"}`;
}

/** Whether all routes of a host answer 503. */
function shut({ model }: Translation, host: string): boolean {
  const { routes } = model.hosts.find(({ name }) => name === host)!;
  return routes.every(({ action }) => {
    if (action.kind === "respond") return action.status === 503;
    if (action.kind !== "forward") return false;
    return action.split.every(({ backend }) => backend.startsWith("Ingress "));
  });
}

test("authorities change with their Secret, and bad ones close the host for a while", () => {
  const store = new Store();
  const translator = new Translator(OPTIONS);
  const put = (...raws: readonly Raw[]): Translation => {
    for (const raw of raws) store.apply({ type: "put", object: objectOf(raw) });
    return translator.translate(store.snapshot([]), store.changes());
  };
  const host = "a.example";
  const asking = ingressOf("web", [host]);
  let now = put(asking, ingressOf("other", [host], {}));
  assert.equal([clientOf(now, host), shut(now, host)], ["anybody", true]);
  now = put(secretOf(A));
  assert.equal([clientOf(now, host), shut(now, host)], ["required A", false]);
  const { policy } = now.model.hosts[0]!;
  assert.is(policy, now.model.secure[0]!.policy!.id);
  now = put(secretOf(B));
  assert.equal([clientOf(now, host), shut(now, host)], ["required B", false]);
  assert.is.not(now.model.hosts[0]!.policy, policy);
  now = put(secretOf("junk"));
  assert.equal([clientOf(now, host), shut(now, host)], ["anybody", true]);
  now = put(secretOf(A));
  assert.equal([clientOf(now, host), now.model.hosts[0]!.policy], ["required A", policy]);
  store.apply({ type: "gone", object: objectOf(secretOf(A)) });
  now = translator.translate(store.snapshot([]), store.changes());
  assert.equal([clientOf(now, host), shut(now, host)], ["anybody", true]);
  store.apply({ type: "gone", object: objectOf(asking) });
  now = translator.translate(store.snapshot([]), store.changes());
  assert.equal([clientOf(now, host), now.model.hosts[0]!.policy], ["anybody", ""]);
});

test("a Secret that is not known yet is not missing, and nobody gets in until it is", () => {
  const late = { ...OPTIONS, allSecrets: false };
  const host = "a.example";
  const now = translate(snapshotOfRaw([ingressOf("web", [host])]), late);
  assert.ok(shut(now, host));
  assert.ok(now.wants.secrets.has(`${NAMESPACE}/ca`));
  const finding = now.findings.find(({ field }) => field.includes("client-ca"));
  assert.is(finding?.reason, "Secret ca has not been read yet", "it could just be late");
});

test("authorities of many hosts are bounded, and hosts beyond are shut", () => {
  const bundle = Array.from({ length: 40 }, (_, i) => openAuthority(`a${i}`).certificate).join("");
  const each = Math.floor(1_048_576 / bundle.length);
  const hosts = Array.from(
    { length: each + 20 },
    (_, i) => `h${String(i).padStart(3, "0")}.example`,
  );
  const now = translate(snapshotOfRaw([secretOf(bundle), ingressOf("web", hosts)]), OPTIONS);
  const asked = now.model.secure.filter(({ policy }) => policy !== null);
  assert.ok(asked.length > 0 && asked.length <= each, `${asked.length} of ${each}`);
  for (const host of hosts) {
    const open = asked.some(({ name }) => name === host);
    assert.is(
      now.model.hosts.find(({ name }) => name === host)!.routes[0]!.action.kind,
      open ? "forward" : "respond",
    );
  }
  assert.is(now.findings.filter(({ reason }) => reason.includes("too many hosts")).length, 1);
});

test("two hosts with one policy have one id", () => {
  const objects = [secretOf(A), ingressOf("one", ["a.example"]), ingressOf("two", ["b.example"])];
  const { model } = translate(snapshotOfRaw(objects), OPTIONS);
  assert.is(model.hosts.length, 2);
  assert.is(model.hosts[0]!.policy, model.hosts[1]!.policy);
  assert.match(model.hosts[0]!.policy, /^[0-9a-f]{40}$/);
});

test.run();
