/** `rind demo`: the lesson on this machine, without a cluster. What `npm start` runs. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describeFinding } from "../watch/translate/describe.ts";
import { showAddress } from "../core/protocol.ts";
import { readConfig } from "./config.ts";
import { openShops } from "./demo/cheeses.ts";
import { serve } from "./serve.ts";
import type { Finding } from "../watch/finding.ts";
import type { Shop } from "./demo/cheeses.ts";
import type { Given } from "./flags.ts";
import type { Doors, OpenPlane, Voice } from "./serve.ts";

const DEFAULTS = {
  http: "127.0.0.1:8000",
  https: "127.0.0.1:8443",
  admin: "127.0.0.1:8080",
  lameDuck: "0s",
  cluster: false,
};
/** Where scripts/compile.mjs puts them into the binary, and where they are in the source. */
const EXAMPLES = join(import.meta.dir, Bun.isStandaloneExecutable ? "examples" : "../k8s/examples");
/** Any name under nip.io is the address in it, so browsers need no set-up. */
const DOMAIN = "127.0.0.1.nip.io";
/** Listening here, `localhost` leads to us. */
const LOCAL = new Set(["127.0.0.1", "0.0.0.0", "::"]);

/** Serves the examples, or the folders given instead, and the cheeses, until asked to stop. */
export async function demo(given: Given, openPlane: OpenPlane): Promise<number> {
  const config = readConfig(given, DEFAULTS);
  if (!config.ok) {
    console.error(`rind demo: ${config.reason}`);
    return 2;
  }
  const shops = openShops();
  const made = mkdtempSync(join(tmpdir(), "rind-demo-"));
  // On exit, because a second signal does not come back here.
  process.once("exit", () => rmSync(made, { recursive: true, force: true }));
  const folders = config.value.manifests.length > 0 ? config.value.manifests : [examples(made)];
  const endpoints = join(made, "endpoints.json");
  writeFileSync(endpoints, JSON.stringify(slicesOf(shops), null, 2));
  const manifests = [...folders, endpoints];
  const code = await serve({ ...config.value, manifests }, speaker(folders), openPlane);
  for (const shop of shops) shop.stop();
  return code;
}

/** The folder of the examples: in `made` when they come out of the binary, to be edited there. */
function examples(made: string): string {
  if (!Bun.isStandaloneExecutable) return EXAMPLES;
  const folder = join(made, "examples");
  mkdirSync(folder);
  for (const name of readdirSync(EXAMPLES)) {
    writeFileSync(join(folder, name), readFileSync(join(EXAMPLES, name)));
  }
  return folder;
}

/** Tells what was found at the start with the rest, and what is found later at once. */
function speaker(folders: readonly string[]): Voice {
  const early: Finding[] = [];
  let open = false;
  return {
    found: (fresh: readonly Finding[]): void => {
      if (open) for (const finding of fresh) console.log(describeFinding(finding));
      else early.push(...fresh);
    },
    opened: (doors: Doors): void => {
      open = true;
      console.log(welcome(doors, folders, early));
    },
  };
}

function welcome(doors: Doors, folders: readonly string[], findings: readonly Finding[]): string {
  const first = doors.http[0] ?? { host: "127.0.0.1", port: 0 };
  const local = LOCAL.has(first.host);
  const at = local ? `localhost:${first.port}` : showAddress(first);
  const curl = (name: string): string => `curl -H 'Host: ${name}.${DOMAIN}' ${at}`;
  const silent = curl("cheeseplate").replace("curl", "curl -s");
  const eight = `for i in 1 2 3 4 5 6 7 8; do ${silent} | head -1; done`;
  const found = findings.map((finding) => `  ${describeFinding(finding)}\n`).join("");
  return `
rind serves three cheeses on ${[...doors.http, ...doors.https].map(showAddress).join(", ")}

Try
  ${curl("cheddar")}
  ${curl("stilton")}
  ${curl("wensleydale")}
  ${curl("nobody")}
or http://cheddar.${DOMAIN}:${first.port} in a browser.${tried(doors)}

Half of the cheeseplate is cheddar, a quarter stilton, a quarter wensleydale:
  ${eight}

Edit a file in ${folders.join(", ")}
and traffic moves at once. What is served: curl http://${showAddress(doors.admin)}/api/routes

${found === "" ? "Nothing is wrong with the manifests." : `Found in the manifests:\n${found}`}
Ctrl-C stops.
`;
}

/** HTTPS, with a certificate that nobody signed. */
function tried({ https: [door] }: Doors): string {
  if (door === undefined || !LOCAL.has(door.host)) return "";
  return `

Over HTTPS, with a certificate made at this start, which browsers warn of:
  curl -k --connect-to ::127.0.0.1:${door.port} https://cheddar.${DOMAIN}/`;
}

/** What the cluster would say about where the pods of the three Services are. */
function slicesOf(shops: readonly Shop[]): object {
  const items = shops.map(({ name, port }) => ({
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: {
      name: `${name}-demo`,
      namespace: "default",
      labels: { "kubernetes.io/service-name": name },
    },
    addressType: "IPv4",
    ports: [{ name: "", port, protocol: "TCP" }],
    endpoints: [{ addresses: ["127.0.0.1"], conditions: { ready: true } }],
  }));
  return { apiVersion: "v1", kind: "List", items };
}
