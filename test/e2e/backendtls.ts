/** Backends over TLS, end to end: manifests in a folder, a Secret that changes, real handshakes. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";

import { answering, openOrigin, respond, type Origin } from "../origin.ts";
import { openAuthority } from "../pki.ts";
import { manifestsOf, startRind, until, type Program } from "./program.ts";

const ANNOTATIONS = {
  "nginx.ingress.kubernetes.io/backend-protocol": "HTTPS",
  "nginx.ingress.kubernetes.io/proxy-ssl-secret": "default/trust",
};
const HOST = "web.example";

const authority = openAuthority();
const stranger = openAuthority("somebody else");
const server = authority.issue({ names: ["web.default.svc"] });
const own = authority.issue({ names: ["edge"], use: "client" });

const it = suite("backends over TLS");
let folder = "";
let origin: Origin;
let rind: Program;

/** The Secret with what is trusted, and the pair that is shown. */
function trust(ca: string): void {
  const stringData = { "ca.crt": ca, "tls.crt": own.chain, "tls.key": own.key };
  const secret = { apiVersion: "v1", kind: "Secret", metadata: { name: "trust" }, stringData };
  writeFileSync(join(folder, "secret.json"), JSON.stringify(secret));
}

it.before(async () => {
  folder = mkdtempSync(join(tmpdir(), "rind-e2e-"));
  const mutual = { requestCert: true, rejectUnauthorized: true, ca: authority.certificate };
  const tls = { cert: server.chain, key: server.key, ...mutual };
  origin = openOrigin(
    answering(() => respond(200, "over TLS")),
    "127.0.0.1",
    0,
    tls,
  );
  const list = JSON.parse(manifestsOf("web", origin.port)) as {
    items: { kind: string; metadata: Record<string, unknown> }[];
  };
  for (const { kind, metadata } of list.items) {
    if (kind === "Ingress") metadata["annotations"] = ANNOTATIONS;
  }
  writeFileSync(join(folder, "web.json"), JSON.stringify(list));
  trust(authority.certificate);
  rind = await startRind(["run", "--manifests", folder, "--workers", "2"]);
});

it.after(async () => {
  const code = await rind.stop();
  origin.stop();
  rmSync(folder, { recursive: true });
  assert.is(code, 0);
});

it("a verified backend answers, and is shown our certificate", async () => {
  const { status, body } = await rind.get(HOST);
  assert.equal([status, body], [200, "over TLS"]);
});

it("another authority takes effect at once: 502, also where connections idled", async () => {
  trust(stranger.certificate);
  await until("it is not trusted", async () => (await rind.get(HOST)).status === 502);
  const answers = await Promise.all(Array.from({ length: 8 }, () => rind.get(HOST)));
  assert.equal([...new Set(answers.map(({ status }) => status))], [502]);
  assert.match(rind.output(), /upstreamTlsFailed .*no authority that is trusted/);
});

it("garbage leaves what was there before, and is a finding", async () => {
  trust(authority.certificate);
  await until("it is trusted again", async () => (await rind.get(HOST)).status === 200);
  trust("garbage");
  await until("it is told", () => /trust.*is bad: ca\.crt/.test(rind.output()));
  const answers = await Promise.all(Array.from({ length: 8 }, () => rind.get(HOST)));
  assert.equal([...new Set(answers.map(({ status }) => status))], [200]);
});

it("keys are in no answer of the admin address, and in no line of the log", async () => {
  const answers = await Promise.all(
    ["/api/routes", "/api/findings", "/metrics", "/debug/routes"].map((path) => rind.admin(path)),
  );
  const told = answers.map(({ body }) => body).join("") + rind.output();
  assert.match(told, /web\.default\.svc/);
  assert.not.match(told, /BEGIN|PRIVATE/);
  assert.is(told.includes(own.key.split("\n")[1]!), false);
});

it.run();
