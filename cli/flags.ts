/** Flags: one row each, with its environment variable. Every command reads the same table. */
import { parseArgs } from "node:util";
import { nearest } from "../watch/translate/nearest.ts";
import type { Parsed } from "./address.ts";

type Flag = Readonly<{
  /** `one`: the last one wins. `list`: may come several times. `switch`: takes no value. */
  kind: "one" | "list" | "switch";
  /** The value as the help shows it; "" for a switch. */
  value: string;
  doc: string;
}>;

/** All flags there are. In an environment variable, a list is separated by commas. */
const FLAGS = {
  manifests: {
    kind: "list",
    value: "DIR",
    doc: "serve this folder of manifests and follow its edits",
  },
  http: { kind: "list", value: "ADDR", doc: "listen here for HTTP; [::]:8000 is IPv4 and IPv6" },
  https: { kind: "list", value: "ADDR", doc: "listen here for HTTPS; none: nowhere" },
  "default-certificate": {
    kind: "one",
    value: "NS/NAME",
    doc: "Secret of the certificate for names without one (default: one that nobody signed)",
  },
  "unknown-sni": {
    kind: "one",
    value: "default|refuse",
    doc: "clients that ask for a name which nobody has get that one (default) or an alert",
  },
  "tls-min-version": {
    kind: "one",
    value: "1.2|1.3",
    doc: "the oldest version that is spoken (default: 1.2)",
  },
  "tls-ciphers": {
    kind: "one",
    value: "A:B",
    doc: "for TLS 1.2, by OpenSSL's names (default: ECDHE with GCM or ChaCha20)",
  },
  "ssl-redirect": {
    kind: "one",
    value: "on|off",
    doc: "send HTTP to HTTPS where a host has TLS (default: on with --https)",
  },
  "redirect-port": {
    kind: "one",
    value: "PORT",
    doc: "HTTPS port that clients see and are sent to (default: that of --https)",
  },
  hsts: {
    kind: "one",
    value: "VALUE",
    doc: "Strict-Transport-Security of hosts with TLS, such as max-age=31536000",
  },
  "proxy-protocol": {
    kind: "list",
    value: "CIDR",
    doc: "these peers begin each connection with a PROXY header, v1 or v2",
  },
  admin: { kind: "one", value: "ADDR", doc: "health, routes and findings" },
  workers: { kind: "one", value: "auto|N", doc: "processes; 0 serves from this one" },
  class: { kind: "list", value: "NAME", doc: "take Ingresses of this class (default: rind)" },
  controller: {
    kind: "one",
    value: "NAME",
    doc: "take classes of this controller (default: rind.dev/ingress-controller)",
  },
  "without-class": {
    kind: "switch",
    value: "",
    doc: "take Ingresses without a class; always so for folders",
  },
  "lame-duck": {
    kind: "one",
    value: "TIME",
    doc: "after SIGTERM, serve on while load balancers learn of the end, such as 5s",
  },
  drain: { kind: "one", value: "TIME", doc: "what running requests get after that, such as 30s" },
  limit: {
    kind: "list",
    value: "NAME=VALUE",
    doc: "set a limit, such as head=5s; rind limits lists them",
  },
  "trusted-proxy": {
    kind: "list",
    value: "CIDR",
    doc: "believe the forwarded headers of these addresses",
  },
  kubeconfig: {
    kind: "one",
    value: "FILE",
    doc: "serve the cluster of this file; in a pod, its own",
  },
  context: { kind: "one", value: "NAME", doc: "of the kubeconfig, instead of its current one" },
  namespaces: { kind: "list", value: "NAME", doc: "follow this namespace only (default: all)" },
  "namespace-selector": {
    kind: "one",
    value: "SELECTOR",
    doc: "take Ingresses of namespaces with these labels, such as team=a,!legacy",
  },
  secrets: {
    kind: "one",
    value: "named|all",
    doc: "follow only the Secrets that objects name, one by one, or all (default: named)",
  },
  pod: { kind: "one", value: "NS/NAME", doc: "the pod that rind runs in" },
  report: { kind: "one", value: "on|off", doc: "write status and Events (default: on with --pod)" },
  lease: {
    kind: "one",
    value: "NS/NAME",
    doc: "who holds it reports (default: rind, in the pod's)",
  },
  "publish-service": {
    kind: "one",
    value: "NS/NAME",
    doc: "status shows the addresses of this Service, not of nodes",
  },
  "publish-address": { kind: "list", value: "ADDR", doc: "status shows this IP or host name" },
  "node-address": {
    kind: "one",
    value: "TYPE",
    doc: "status shows the nodes' InternalIP (default) or ExternalIP",
  },
  "external-names": {
    kind: "list",
    value: "SUFFIX",
    doc: "follow ExternalName Services to such names: .example.com, a.example.com or *",
  },
  "allow-address": {
    kind: "list",
    value: "CIDR",
    doc: "endpoints may be here though it is loopback, link-local or the API server",
  },
  state: {
    kind: "one",
    value: "DIR",
    doc: "keep what is served, keys included, to start with while the API server is away",
  },
} as const satisfies Readonly<Record<string, Flag>>;

export type FlagName = keyof typeof FLAGS;

/** What was given. `all` of a flag that was not is empty, `last` undefined. */
export type Given = Readonly<{
  all: (name: FlagName) => readonly string[];
  last: (name: FlagName) => string | undefined;
  operands: readonly string[];
}>;

/** Reads a command line after its command. A flag on it replaces its environment variable. */
export function readFlags(
  allowed: readonly FlagName[],
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Parsed<Given> {
  const given = new Map<FlagName, string[]>();
  const operands: string[] = [];
  for (const token of tokensOf(args)) {
    if (token.kind === "positional") operands.push(token.value);
    if (token.kind !== "option") continue;
    const name = allowed.find((each) => each === token.name);
    if (name === undefined) return { ok: false, reason: unknownFlag(token.rawName, allowed) };
    const value = valueOf(name, token.value);
    if (!value.ok) return value;
    given.set(name, [...(given.get(name) ?? []), value.value]);
  }
  for (const name of allowed) {
    const text = env[variableOf(name)];
    if (!given.has(name) && text !== undefined && text !== "") given.set(name, split(name, text));
  }
  const all = (name: FlagName): readonly string[] => given.get(name) ?? [];
  return { ok: true, value: { all, last: (name) => all(name).at(-1), operands } };
}

/** The environment variable of a flag: `RIND_WITHOUT_CLASS`. */
function variableOf(name: FlagName): string {
  return `RIND_${name.replaceAll("-", "_").toUpperCase()}`;
}

/** One line a flag, aligned, for the help of a command. */
export function describeFlags(allowed: readonly FlagName[]): string {
  const left = allowed.map((name) => `--${name} ${FLAGS[name].value}`.trim());
  const width = Math.max(...left.map((text) => text.length));
  return allowed
    .map((name, i) => `  ${left[i]!.padEnd(width)}  ${FLAGS[name].doc} (${variableOf(name)})`)
    .join("\n");
}

function tokensOf(args: readonly string[]) {
  const options = Object.fromEntries(
    Object.entries(FLAGS).map(([name, flag]) => [
      name,
      { type: flag.kind === "switch" ? ("boolean" as const) : ("string" as const) },
    ]),
  );
  // Not strict: what it would say about a mistake does not name the flag that was meant.
  return parseArgs({ args: [...args], options, strict: false, tokens: true }).tokens;
}

function valueOf(name: FlagName, value: string | undefined): Parsed<string> {
  if (FLAGS[name].kind === "switch") {
    if (value === undefined) return { ok: true, value: "true" };
    return { ok: false, reason: `--${name} takes no value` };
  }
  const missing = value === undefined || value === "" || value.startsWith("--");
  if (!missing) return { ok: true, value };
  return { ok: false, reason: `--${name} needs a value: --${name} ${FLAGS[name].value}` };
}

function unknownFlag(raw: string, allowed: readonly FlagName[]): string {
  const near = nearest(raw.replace(/^-+/, ""), allowed);
  return `there is no ${raw} here${near === null ? "" : `; did you mean --${near}?`}`;
}

function split(name: FlagName, text: string): string[] {
  if (FLAGS[name].kind === "switch") return text === "0" || text === "false" ? [] : ["true"];
  return FLAGS[name].kind === "list" ? text.split(",").map((part) => part.trim()) : [text];
}
