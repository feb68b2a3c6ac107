/** The admin address as probes and operators meet it: over a socket. */
import { connect } from "node:net";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { EMPTY_MODEL } from "../../core/model.ts";
import { openAdmin } from "../server.ts";
import type { Admin } from "../server.ts";

const server = suite("admin server");
let admin: Admin;

server.before(() => {
  admin = openAdmin(
    { host: "127.0.0.1", port: 0 },
    {
      model: () => EMPTY_MODEL,
      faults: () => [],
      certificates: () => [],
      findings: () => [],
      readiness: () => ({
        ready: true,
        reason: "",
        version: 0,
        http: [],
        https: [],
        heapBytes: 0,
        bugs: 0,
        notes: [],
        workers: [],
        cluster: null,
      }),
    },
  );
  assert.ok(admin.ok);
});

server.after(() => {
  if (admin.ok) admin.stop();
});

/** The first line of the answer to bytes. */
function ask(bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(admin.address.port, admin.address.host);
    let text = "";
    socket.on("data", (chunk: Buffer) => (text += chunk.toString("latin1")));
    socket.on("error", reject);
    socket.on("close", () => resolve(text.split("\r\n")[0]!));
    socket.write(bytes);
  });
}

server("a probe of HTTP/1.0 has no Host", async () => {
  assert.is(await ask("GET /livez HTTP/1.0\r\n\r\n"), "HTTP/1.1 200 OK");
  assert.is(await ask("GET /nowhere HTTP/1.0\r\n\r\n"), "HTTP/1.1 404 Not Found");
});

for (const host of ["", "[", "a b", "a/b", "x:y", "%zz", "u@h", "http://evil", "10.0.0.1:8080"]) {
  server(`what the Host is does not matter: ${JSON.stringify(host)}`, async () => {
    const rest = `Host: ${host}\r\nConnection: close\r\n\r\n`;
    assert.is(await ask(`GET /livez?x HTTP/1.1\r\n${rest}`), "HTTP/1.1 200 OK");
  });
}

server.run();
