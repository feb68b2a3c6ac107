/** Who may import whom: the rooms of docs/architecture.md as a table, and fences inside them. */
import { isTest, type Import, type Source } from "./source.ts";

/** `may` and `types` name files, or folders with a slash at the end. A room may import itself. */
type Room = Readonly<{
  files: readonly string[];
  may: readonly string[];
  types?: readonly string[];
}>;

const BASE = ["assert", "bytes", "cidr", "clock", "limits", "random"].map(
  (name) => `core/${name}.ts`,
);
const NOUNS = [
  "backlog",
  "capacity",
  "fault",
  "head",
  "log",
  "metrics",
  "model",
  "hangup",
  "outbox",
  "protocol",
]
  .concat(
    "capability",
    "contain",
    "libc",
    "notice",
    "parcel",
    "refusal",
    "slab",
    "streams",
    "tally",
    "timers",
  )
  .map((name) => `core/${name}.ts`);
const ROOTS = [...BASE, ...NOUNS];
/** Written once at the start: `watch/` and `core/` read certificates by node:crypto. */
const CERTIFICATES = ["der", "x509", "selfsigned"].map((name) => `core/${name}.ts`);
const PURE = ["core/route/", "core/http1/", "core/http2/", "core/tls/"];
/** What a connection of either side is made of. */
const WAY = [...PURE, "core/output.ts", "core/pipe.ts", "core/exchange.ts", "core/filter/"];
const TRAFFIC = [...WAY, "core/upstream/", "core/downstream/"];
/** The process side of the data plane, without the process that moves the bytes. */
const KEEPERS = ["cursors", "launch", "process", "reserve", "slot"]
  .concat("sockets", "solo", "supervisor")
  .map((name) => `core/${name}.ts`);
const KUBE = ["cluster", "finding", "objects", "resources", "snapshot"].map(
  (name) => `watch/${name}.ts`,
);
const PLAIN = ["assert", "cidr", "clock", "log", "metrics", "model", "parcel", "random"].map(
  (name) => `core/${name}.ts`,
);

/** From the bottom up; the first room that has the file is its room. */
const ROOMS: readonly Room[] = [
  { files: BASE, may: [] },
  { files: NOUNS, may: BASE },
  { files: CERTIFICATES, may: ROOTS },
  { files: ["core/route/"], may: ROOTS },
  { files: ["core/http1/"], may: ROOTS },
  { files: ["core/http2/"], may: ROOTS },
  { files: ["core/tls/"], may: ROOTS },
  { files: ["core/output.ts"], may: [...ROOTS, "core/http1/"] },
  { files: ["core/pipe.ts"], may: ROOTS },
  // An exchange knows no codec: HTTP/2 streams will carry it too.
  { files: ["core/exchange.ts"], may: [...ROOTS, "core/route/"], types: ["core/upstream/"] },
  { files: ["core/filter/"], may: [...ROOTS, "core/route/", "core/exchange.ts"] },
  { files: ["core/upstream/"], may: [...ROOTS, ...WAY] },
  { files: ["core/downstream/"], may: [...ROOTS, ...WAY] },
  { files: ["core/dispatch.ts", "core/retry.ts"], may: [...ROOTS, ...TRAFFIC] },
  { files: ["core/plane.ts"], may: [...ROOTS, ...TRAFFIC, "core/dispatch.ts"] },
  { files: KEEPERS, may: ROOTS, types: ["core/worker.ts"] },
  { files: ["core/worker.ts"], may: [...ROOTS, ...KEEPERS, "core/plane.ts"] },
  { files: KUBE, may: PLAIN },
  {
    files: ["watch/translate/"],
    may: [...KUBE, ...PLAIN, "core/route/path.ts"],
    types: ["watch/source/source.ts"],
  },
  { files: ["watch/store.ts"], may: [...KUBE, ...PLAIN] },
  { files: ["watch/source/"], may: [...KUBE, ...PLAIN, "watch/store.ts"] },
  // Writing has its own way to the API server, and nobody that serves waits for it.
  {
    files: ["watch/report/"],
    may: [...KUBE, ...PLAIN, "watch/holdoff.ts", "watch/source/api/"],
  },
  { files: ["watch/"], may: [...PLAIN, "watch/"] },
  { files: ["rollout/"], may: [...PLAIN, "watch/"] },
  { files: ["admin/"], may: [...ROOTS, ...KEEPERS, "core/route/", "watch/", "rollout/"] },
  {
    files: ["cli/"],
    may: [
      ...ROOTS,
      ...KEEPERS,
      ...CERTIFICATES,
      "core/route/",
      "core/worker.ts",
      "watch/",
      "rollout/",
      "admin/",
      "package.json",
    ],
    types: ["core/plane.ts"],
  },
  { files: ["rind.ts"], may: ["core/", "watch/", "rollout/", "admin/", "cli/"] },
  { files: ["bench/"], may: ["core/", "watch/", "rollout/", "admin/", "cli/"] },
  { files: ["k8s/"], may: ["watch/powers.ts", "package.json"] },
  { files: ["scripts/"], may: [] },
];

/** A name that only some files may use, and why. Tests and benchmarks may use all of them. */
type Fence = Readonly<{ name: RegExp; files: readonly string[]; because: string }>;

const FENCES: readonly Fence[] = [
  {
    name: /\bdlopen\b/,
    files: ["core/libc.ts"],
    because: "a wrong call of the C library is a crash: few, and in one place",
  },
  {
    name: /\bBun\.listen\b/,
    files: ["core/downstream/listen.ts"],
    because: "one place owns the handlers and limits of accepted sockets",
  },
  {
    name: /\bBun\.connect\b/,
    files: ["core/upstream/connect.ts"],
    because: "one place owns timeouts and the cap of dials in flight",
  },
  {
    name: /\bBun\.serve\b/,
    files: ["admin/", "cli/demo/"],
    because: "traffic goes through our own codec",
  },
  {
    name: /\bprocess\.env\b/,
    files: ["rind.ts", "cli/", "core/launch.ts", "core/worker.ts", "scripts/"],
    because: "the environment comes in through parameters",
  },
  {
    name: /\b(?:Math\.random|Date\.now|new Date|performance\.now)\b/,
    files: ["core/clock.ts", "core/timers.ts", "core/plane.ts", "core/log.ts"].concat(
      // A Date field is the time of day.
      "core/http1/date.ts",
      "core/der.ts",
      // A date in words.
      "watch/expiry.ts",
      ["scripts/", "cli/", "admin/"],
    ),
    because: "time and randomness come in through parameters",
  },
];

/** Packages that one file wraps. */
const WRAPPED = ["fast-json-stringify", "re2js"];
const KUBE_CLIENT = "@kubernetes/client-node";
/** It weighs 60 MB: who follows folders never loads it. */
const KUBE_IMPORTER = "watch/source/api/access.ts";

/** Imports that go up, sideways or around in a circle, and names used outside their fence. */
export function layerFindings(sources: readonly Source[]): string[] {
  const findings: string[] = [];
  for (const source of sources) {
    if (isTest(source.path)) continue;
    findings.push(...roomFindings(source), ...fenceFindings(source));
  }
  return [...findings, ...wrapFindings(sources), ...cycleFindings(sources)];
}

function roomFindings({ path, imports }: Source): string[] {
  const room = roomOf(path);
  if (room === undefined) return [`${path}: has no room; give it one in test/tidy/layers.ts`];
  return imports
    .filter((to) => to.local && !mayImport(room, to))
    .map((to) => `${path}: must not import ${to.target}`);
}

function roomOf(path: string): Room | undefined {
  return ROOMS.find((room) => within(path, room.files));
}

function mayImport(room: Room, { target, typeOnly }: Import): boolean {
  if (isTest(target)) return false;
  if (within(target, room.may) || roomOf(target) === room) return true;
  return typeOnly && within(target, room.types ?? []);
}

function within(path: string, places: readonly string[]): boolean {
  return places.some((place) => (place.endsWith("/") ? path.startsWith(place) : path === place));
}

function fenceFindings({ path, code }: Source): string[] {
  if (path.startsWith("bench/")) return [];
  return FENCES.filter(({ name, files }) => name.test(code) && !within(path, files)).map(
    ({ name, files, because }) =>
      `${path}: ${name.exec(code)![0]} belongs to ${files.join(", ")}: ${because}`,
  );
}

function wrapFindings(sources: readonly Source[]): string[] {
  const findings: string[] = [];
  const importers = (name: string) =>
    sources
      .filter(({ path }) => !isTest(path) && !path.startsWith("bench/"))
      .filter(({ imports }) => imports.some(({ target }) => `${target}/`.startsWith(`${name}/`)))
      .map(({ path }) => path);
  for (const name of WRAPPED) {
    const paths = importers(name);
    if (paths.length > 1) findings.push(`${paths.join(", ")}: only one file imports ${name}`);
  }
  for (const path of importers(KUBE_CLIENT)) {
    if (path !== KUBE_IMPORTER) findings.push(`${path}: must not import ${KUBE_CLIENT}`);
  }
  return findings;
}

/** Type imports do not count: they are gone when the program runs. */
function cycleFindings(sources: readonly Source[]): string[] {
  const byPath = new Map(sources.map((source) => [source.path, source]));
  const done = new Set<string>();
  const findings: string[] = [];
  const visit = (path: string, trail: readonly string[]): void => {
    const start = trail.indexOf(path);
    if (start >= 0) findings.push(`${[...trail.slice(start), path].join(" → ")}: a circle`);
    if (start >= 0 || done.has(path)) return;
    for (const { target, local, typeOnly } of byPath.get(path)?.imports ?? []) {
      if (local && !typeOnly) visit(target, [...trail, path]);
    }
    done.add(path);
  };
  for (const { path } of sources) visit(path, []);
  return findings;
}
