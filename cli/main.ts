/** The command line: which command, then its flags. A command loads what it needs when it runs. */
import { describeFlags, readFlags } from "./flags.ts";
import { nearest } from "../watch/translate/nearest.ts";
import type { FlagName, Given } from "./flags.ts";
import { version } from "../package.json";
import type { OpenPlane } from "./serve.ts";

/** Exit codes are a contract: 0 fine, 1 the work failed or found errors, 2 the call was wrong. */
const USAGE = 2;

type Environment = Readonly<Record<string, string | undefined>>;

type Command = Readonly<{
  operands: string;
  /** How many operands it takes at most. */
  operandsMax: number;
  doc: string;
  flags: readonly FlagName[];
  /** Resolves to the exit code. */
  run: (given: Given, openPlane: OpenPlane) => Promise<number>;
}>;

const ADOPTION: readonly FlagName[] = [
  "class",
  "controller",
  "without-class",
  "namespace-selector",
  "external-names",
];
const SERVING: readonly FlagName[] = [
  "http",
  "https",
  "default-certificate",
  "unknown-sni",
  "tls-min-version",
  "tls-ciphers",
  "ssl-redirect",
  "redirect-port",
  "hsts",
  "proxy-protocol",
  "admin",
  "workers",
  "lame-duck",
  "drain",
  "limit",
  "trusted-proxy",
];

const CLUSTER: readonly FlagName[] = [
  "kubeconfig",
  "context",
  "namespaces",
  "secrets",
  "pod",
  "report",
  "lease",
  "publish-service",
  "publish-address",
  "node-address",
  "allow-address",
  "state",
];

const COMMANDS: ReadonlyMap<string, Command> = new Map<string, Command>([
  [
    "run",
    {
      operands: "",
      operandsMax: 0,
      doc: "serve a cluster, or a folder of manifests",
      flags: ["manifests", ...SERVING, ...ADOPTION, ...CLUSTER],
      run: async (given, openPlane) => (await import("./run.ts")).run(given, openPlane),
    },
  ],
  [
    "demo",
    {
      operands: "",
      operandsMax: 0,
      doc: "serve the examples with three cheese servers, on 127.0.0.1",
      flags: ["manifests", ...SERVING],
      run: async (given, openPlane) => (await import("./demo.ts")).demo(given, openPlane),
    },
  ],
  [
    "check",
    {
      operands: "DIR|FILE|-",
      operandsMax: 1,
      doc: "say what is wrong in manifests; exit 1 on errors",
      flags: ADOPTION,
      run: async (given) => (await import("./check.ts")).check(given),
    },
  ],
  [
    "routes",
    {
      operands: "DIR",
      operandsMax: 1,
      doc: "print what would be served from DIR, or is served by --admin ADDR",
      flags: ["admin", ...ADOPTION],
      run: async (given) => (await import("./routes.ts")).routes(given),
    },
  ],
  [
    "limits",
    {
      operands: "",
      operandsMax: 0,
      doc: "print the limits that --limit sets, with their defaults",
      flags: [],
      run: async () => (await import("./limits.ts")).listLimits(),
    },
  ],
]);

/**
 * Runs one command line and resolves to its exit code. Help and version go to stdout. `openPlane`
 * makes the data plane of `--workers 0`; only rind.ts knows both planes.
 */
export async function main(
  args: readonly string[],
  env: Environment,
  openPlane: OpenPlane,
): Promise<number> {
  const name = args[0];
  if (name === undefined) return misused(help());
  if (name === "--help" || name === "-h" || name === "help") return told(help());
  if (name === "--version" || name === "version") return told(`rind ${version}`);
  const command = COMMANDS.get(name);
  if (command === undefined) {
    const near = nearest(name, COMMANDS.keys());
    const guess = near === null ? "" : `; did you mean ${near}?`;
    return misused(`rind: there is no command ${JSON.stringify(name)}${guess}\nsee rind --help`);
  }
  const rest = args.slice(1);
  if (rest.includes("--help") || rest.includes("-h")) return told(helpOf(name, command));
  const given = readFlags(command.flags, rest, env);
  if (!given.ok) return misused(`rind ${name}: ${given.reason}\nsee rind ${name} --help`);
  const extra = given.value.operands[command.operandsMax];
  if (extra !== undefined) {
    return misused(`rind ${name}: ${JSON.stringify(extra)} is one too many`);
  }
  return command.run(given.value, openPlane);
}

function help(): string {
  const lines = [...COMMANDS].map(
    ([name, { operands, doc }]) => `  ${`rind ${name} ${operands}`.padEnd(24)}${doc}`,
  );
  return `rind: an edge proxy and Kubernetes ingress controller

${lines.join("\n")}

  rind COMMAND --help     the flags of a command
  rind --version`;
}

function helpOf(name: string, command: Command): string {
  return `${`rind ${name} ${command.operands}`.trim()}: ${command.doc}

${describeFlags(command.flags)}`;
}

function told(text: string): number {
  console.log(text);
  return 0;
}

function misused(text: string): number {
  console.error(text);
  return USAGE;
}
