/** The contestants: how each is set up and started, one worker each, on a port of our choice. */
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type ProductName } from "./rows.ts";

/** The name every request asks for. */
export const ORIGIN_HOST = "bench.example";

const BENCH = join(import.meta.dir, "..");
/** Everything a run writes goes here; git does not see it. */
export const OUT = join(BENCH, "out");

/** Unbuffered, only the first buffer is used; the other two lines keep its own check content. */
const NGINX_BIG = [
  "proxy_buffering off;",
  "proxy_request_buffering off;",
  "proxy_buffer_size 256k;",
  "proxy_buffers 2 256k;",
  "proxy_busy_buffers_size 256k;",
].join("\n      ");

/** What a product needs to know. `extraPort` is for its own use. */
export type Setup = Readonly<{ port: number; originPort: number; extraPort: number; dir: string }>;

export type Product = Readonly<{
  name: ProductName;
  /** Its version as it reports it; `null` when it is not on this machine. */
  version: () => string | null;
  /** Writes its configuration and returns the command that serves in the foreground. */
  command: (setup: Setup) => string[];
}>;

export const PRODUCTS: readonly Product[] = [
  {
    name: "floor",
    version: () => (Bun.which("gcc") === null ? null : "bench/floor/relay.c"),
    command: (setup) => [build("relay"), `${setup.port}`, `${setup.originPort}`],
  },
  { name: "rind", version: rindVersion, command: rindCommand },
  { name: "nginx", version: nginxVersion, command: (setup) => nginxCommand(setup, "") },
  { name: "nginx-big", version: nginxVersion, command: (setup) => nginxCommand(setup, NGINX_BIG) },
  { name: "haproxy", version: haproxyVersion, command: haproxyCommand },
];

/** Compiles bench/floor/NAME.c into bench/out and returns the program's path. */
export function build(name: "origin" | "relay"): string {
  mkdirSync(OUT, { recursive: true });
  const program = join(OUT, name);
  const source = join(BENCH, "floor", `${name}.c`);
  const built = Bun.spawnSync(["gcc", "-O2", "-Wall", "-o", program, source]);
  if (!built.success) throw new Error(`${source} does not compile: ${built.stderr}`);
  return program;
}

function rindCommand(setup: Setup): string[] {
  const manifests = join(setup.dir, "manifests");
  mkdirSync(manifests, { recursive: true });
  writeFileSync(join(manifests, "bench.yaml"), manifestsOf(setup.originPort));
  const program = process.env["RIND_BENCH_PROGRAM"] ?? join(BENCH, "..", "rind.ts");
  return [
    ...[process.execPath, program, "run", "--manifests", manifests, "--workers", "1"],
    ...[
      "--http",
      `127.0.0.1:${setup.port}`,
      "--https",
      "none",
      "--admin",
      `127.0.0.1:${setup.extraPort}`,
    ],
  ];
}

function nginxCommand(setup: Setup, extra: string): string[] {
  return ["nginx", "-p", setup.dir, "-c", fill("nginx.conf", setup, extra)];
}

function haproxyCommand(setup: Setup): string[] {
  return ["haproxy", "-db", "-f", fill("haproxy.conf", setup, "")];
}

/** Fills a template of bench/peers in and returns the path of the result. */
function fill(template: string, setup: Setup, extra: string): string {
  const text = readFileSync(join(BENCH, "peers", template), "utf8")
    .replaceAll("{{dir}}", setup.dir)
    .replaceAll("{{port}}", `${setup.port}`)
    .replaceAll("{{origin}}", `${setup.originPort}`)
    .replaceAll("{{host}}", ORIGIN_HOST)
    .replaceAll("{{extra}}", extra);
  const path = join(setup.dir, template);
  writeFileSync(path, text);
  chmodSync(path, 0o644);
  return path;
}

function rindVersion(): string {
  const manifest = JSON.parse(readFileSync(join(BENCH, "..", "package.json"), "utf8")) as {
    version: string;
  };
  const commit = Bun.spawnSync(["git", "-C", BENCH, "describe", "--always", "--dirty"]);
  return `${manifest.version} ${commit.stdout.toString().trim()} on Bun ${Bun.version}`;
}

function nginxVersion(): string | null {
  if (Bun.which("nginx") === null) return null;
  return Bun.spawnSync(["nginx", "-v"]).stderr.toString().trim();
}

function haproxyVersion(): string | null {
  if (Bun.which("haproxy") === null) return null;
  return Bun.spawnSync(["haproxy", "-v"]).stdout.toString().split("\n")[0] ?? "";
}

function manifestsOf(originPort: number): string {
  return `apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: { name: bench }
spec:
  rules:
    - host: ${ORIGIN_HOST}
      http:
        paths:
          - path: /
            pathType: Prefix
            backend: { service: { name: origin, port: { number: 80 } } }
---
apiVersion: v1
kind: Service
metadata: { name: origin }
spec: { ports: [{ port: 80, targetPort: ${originPort} }] }
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: origin-1, labels: { kubernetes.io/service-name: origin } }
addressType: IPv4
ports: [{ port: ${originPort} }]
endpoints: [{ addresses: ["127.0.0.1"], conditions: { ready: true } }]
`;
}
