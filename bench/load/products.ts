/** The contestants: how each is set up and started, one worker each, on a port of our choice. */
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { KeyPair } from "../../core/model.ts";
import { manifestsOf } from "./manifests.ts";
import { HOSTS, type ProductName } from "./rows.ts";

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
].join("\n  ");

/** What a product needs to know. `extraPort` is for its own use. */
export type Setup = Readonly<{
  port: number;
  securePort: number;
  originPort: number;
  /** The same origin over TLS, and who vouches for it, PEM. */
  secureOriginPort: number;
  authority: string;
  extraPort: number;
  /** For the hosts that have TLS. */
  pairs: Readonly<{ secure: KeyPair; rsa: KeyPair }>;
  dir: string;
}>;

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
  { name: "rind", version: rindVersion, command: (setup) => rindCommand(setup, []) },
  {
    name: "rind-peek",
    version: rindVersion,
    command: (setup) => rindCommand(setup, ["--unknown-sni", "refuse"]),
  },
  { name: "nginx", version: nginxVersion, command: (setup) => nginxCommand(setup, "") },
  { name: "nginx-big", version: nginxVersion, command: (setup) => nginxCommand(setup, NGINX_BIG) },
  { name: "haproxy", version: haproxyVersion, command: haproxyCommand },
];

/** Programs in C: where the source is, and what it is linked with. */
const PROGRAMS = {
  origin: { source: "floor/origin.c", libraries: [] },
  relay: { source: "floor/relay.c", libraries: [] },
  handshakes: { source: "load/handshakes.c", libraries: ["-lssl", "-lcrypto"] },
  paced: { source: "load/paced.c", libraries: ["-lssl", "-lcrypto", "-lm"] },
} as const;

/** Compiles a program into bench/out and returns its path. */
export function build(name: keyof typeof PROGRAMS): string {
  mkdirSync(OUT, { recursive: true });
  const program = join(OUT, name);
  const source = join(BENCH, PROGRAMS[name].source);
  const { libraries } = PROGRAMS[name];
  const built = Bun.spawnSync(["gcc", "-O2", "-Wall", "-o", program, source, ...libraries]);
  if (!built.success) throw new Error(`${source} does not compile: ${built.stderr}`);
  return program;
}

function rindCommand(setup: Setup, flags: readonly string[]): string[] {
  const manifests = join(setup.dir, "manifests");
  mkdirSync(manifests, { recursive: true });
  writeFileSync(join(manifests, "bench.json"), manifestsOf(setup, setup.pairs));
  const program = process.env["RIND_BENCH_PROGRAM"] ?? join(BENCH, "..", "rind.ts");
  const at = (port: number): string => `127.0.0.1:${port}`;
  return [
    ...[process.execPath, program, "run", "--manifests", manifests, "--workers", "1"],
    ...["--http", at(setup.port), "--https", at(setup.securePort), "--admin", at(setup.extraPort)],
    ...flags,
  ];
}

function nginxCommand(setup: Setup, extra: string): string[] {
  writePairs(setup);
  return ["nginx", "-p", setup.dir, "-c", fill("nginx.conf", setup, extra)];
}

function haproxyCommand(setup: Setup): string[] {
  writePairs(setup);
  return ["haproxy", "-db", "-f", fill("haproxy.conf", setup, "")];
}

/** Chain and key in one file: HAProxy takes nothing else, and nginx takes it too. */
function writePairs({ dir, pairs, authority }: Setup): void {
  writeFileSync(join(dir, "authority.pem"), authority);
  mkdirSync(join(dir, "tls"), { recursive: true });
  for (const [name, { chain, key }] of Object.entries(pairs)) {
    writeFileSync(join(dir, "tls", `${name}.pem`), chain + key);
  }
}

/** Fills a template of bench/peers in and returns the path of the result. */
function fill(template: string, setup: Setup, extra: string): string {
  const text = readFileSync(join(BENCH, "peers", template), "utf8")
    .replaceAll("{{dir}}", setup.dir)
    .replaceAll("{{port}}", `${setup.port}`)
    .replaceAll("{{secure-port}}", `${setup.securePort}`)
    .replaceAll("{{origin}}", `${setup.originPort}`)
    .replaceAll("{{secure-origin}}", `${setup.secureOriginPort}`)
    .replaceAll("{{backend-host}}", HOSTS.backend)
    .replaceAll("{{host}}", HOSTS.plain)
    .replaceAll("{{secure-host}}", HOSTS.secure)
    .replaceAll("{{rsa-host}}", HOSTS.rsa)
    .replaceAll("{{extra}}", extra);
  const path = join(setup.dir, template);
  writeFileSync(path, text);
  chmodSync(path, 0o644);
  return path;
}

/** What puts TLS before the origin: its own cost is not measured, and nginx is there anyway. */
export function secureOriginCommand(setup: Setup): string[] {
  writePairs(setup);
  return ["nginx", "-p", setup.dir, "-c", fill("origin.conf", setup, "")];
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
