/** Who may ask: tokens that come and go, client certificates, and denials word for word. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { kubeconfigOf, startApiServer } from "../../apiserver.ts";
import { makeAuthority } from "../authority.ts";

const USER = "system:serviceaccount:rind:rind";

test("only a known token is answered, and tokens rotate", async () => {
  const server = startApiServer();
  const status = async (token: string) => {
    const headers = { Authorization: `Bearer ${token}` };
    return (await fetch(`${server.url}/api/v1/services`, { headers })).status;
  };
  assert.is(await status("old"), 200);
  server.guard.tokens.set("old", USER);
  assert.is(await status("other"), 401);
  assert.is(await status("old"), 200);
  server.guard.tokens.delete("old");
  server.guard.tokens.set("new", USER);
  assert.is(await status("old"), 401);
  assert.is(await status("new"), 200);
  server.stop();
});

test("a denial is worded as by RBAC, and ends", async () => {
  const server = startApiServer();
  server.guard.tokens.set("t", USER);
  const ask = async (path: string) => {
    const response = await fetch(server.url + path, { headers: { Authorization: "Bearer t" } });
    return (await response.json()) as { code?: number; message?: string };
  };
  const allow = server.deny({ resource: "secrets", namespace: "shop", name: "web" });
  const secrets = "/api/v1/namespaces/shop/secrets";
  const pinned = `${secrets}?watch=1&timeoutSeconds=1&fieldSelector=metadata.name%3Dweb`;
  const message =
    `secrets "web" is forbidden: User "${USER}" cannot watch resource "secrets" ` +
    `in API group "" in the namespace "shop"`;
  assert.is((await ask(pinned)).message, message);
  assert.is((await ask(secrets)).code, undefined);
  allow();
  assert.is((await ask(`${secrets}/web`)).code, 404);
  server.stop();
});

test("over TLS, a client is known by certificate or token, and the CA is needed", async () => {
  const authority = makeAuthority();
  if (authority === null) {
    console.log("skip: no openssl");
    return;
  }
  const server = startApiServer({ authority });
  server.guard.tokens.set("t", USER);
  const { ca, clientCert: cert, clientKey: key } = authority;
  const status = async (tls: object, headers = {}) =>
    (await fetch(`${server.url}/version`, { tls, headers })).status;
  assert.is(await status({ ca }), 401);
  assert.is(await status({ ca, cert, key }), 200);
  assert.is(await status({ ca }, { Authorization: "Bearer t" }), 200);
  const refused = await status({}).catch((error: { code: string }) => error.code);
  assert.is(refused, "SELF_SIGNED_CERT_IN_CHAIN");
  const { clusters } = JSON.parse(kubeconfigOf(server, { authority, token: "t" }));
  assert.is(clusters[0].cluster.server, server.url);
  server.stop();
});

test.run();
