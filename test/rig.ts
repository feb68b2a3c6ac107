/** A plane with one host `*` in front of test origins, as small as wire tests need it. */
import {
  DEFAULT_POLICY,
  NONE,
  type Certificate,
  type Delta,
  type Endpoint,
  type KeyPair,
  type RoutePolicy,
  type SecureHost,
  type UpstreamTls,
} from "../core/model.ts";
import { assert } from "../core/assert.ts";
import { type Limits, limitsOf } from "../core/limits.ts";
import { Plane } from "../core/plane.ts";
import { type EdgeSettings, PLAIN_EDGE, type TlsSettings } from "../core/protocol.ts";
import { selfSigned } from "../core/selfsigned.ts";
import { NOTHING } from "./delta.ts";
import { openOrigin, type Origin, type Script } from "./origin.ts";
import { dial, type Peer } from "./peer.ts";

/** A running plane. `stop` ends everything the rig opened. */
export type Rig = Readonly<{
  plane: Plane;
  origin: Origin;
  port: number;
  /** Where it listens for TLS; 0 without. */
  securePort: number;
  /** A client's connection to the plane; over TLS when the rig is `secure`. */
  client: (tls?: Bun.TLSOptions) => Promise<Peer>;
  stop: () => void;
}>;

/** What differs from the plain rig. `endpoints` replaces the origin as the backend's endpoints. */
export type RigOptions = Readonly<{
  policy?: RoutePolicy;
  limits?: Partial<Limits>;
  trusted?: readonly string[];
  proxies?: readonly string[];
  edge?: Partial<Pick<EdgeSettings, "https" | "tls">>;
  endpoints?: (origin: Origin) => readonly Endpoint[];
  listen?: string;
  originAddress?: string;
  /** What the origin speaks TLS with, and what the backend's settings for it are. */
  originTls?: Bun.TLSOptions;
  tls?: UpstreamTls;
  /** It listens for TLS as well, and that is where clients come. */
  secure?: Secure;
}>;

/** What a plane shows its clients; `settings` is what differs from the defaults. */
export type Secure = Readonly<{
  fallback: KeyPair;
  certificates?: readonly Certificate[];
  hosts?: readonly SecureHost[];
  settings?: Partial<TlsSettings>;
}>;

/** A client that takes any certificate. */
const ANYBODY: Bun.TLSOptions = { rejectUnauthorized: false };

/** How clients come where a test does not say: `plain`, or over TLS `byName` or `peeking`. */
const WIRE = process.env["RIND_TEST_WIRE"] ?? "plain";
/** A host with a policy of its own takes a look into each connection. */
const STRICT: SecureHost = {
  name: "strict.test",
  certificates: [],
  policy: { id: "strict", minVersion: "1.3", ciphers: "", client: null },
  passthrough: "",
};
const WIRE_SECURE: Secure | null =
  WIRE === "plain"
    ? null
    : {
        fallback: selfSigned(Date.now()),
        hosts: WIRE === "peeking" ? [STRICT] : [],
      };

/** Opens an origin that runs `script`, and a plane that sends it everything. */
export function openRig(script: Script, asked: RigOptions = {}): Rig {
  const options = WIRE_SECURE === null ? asked : { secure: WIRE_SECURE, ...asked };
  const origin = openOrigin(script, options.originAddress ?? "127.0.0.1", 0, options.originTls);
  const endpoints = options.endpoints ?? (({ address, port }) => [{ address, port, uid: "" }]);
  const host = options.listen ?? "127.0.0.1";
  const limits = limitsOf(options.limits ?? {});
  const plane = new Plane({
    ...PLAIN_EDGE,
    ...tlsOf(host, options.secure),
    ...options.edge,
    http: [{ host, port: 0 }],
    sockets: [],
    reusePort: false,
    worker: 0,
    workers: 1,
    cursors: null,
    limits,
    trusted: options.trusted ?? [],
    proxies: options.proxies ?? [],
  });
  const { certificates = [], hosts = [] } = options.secure ?? {};
  const delta = deltaOf(endpoints(origin), options.policy ?? DEFAULT_POLICY, options.tls);
  plane.apply({ ...delta, certificates, secure: hosts });
  assert(plane.listen() === null, "a free port can be listened on");
  const port = plane.addresses().http[0]?.port ?? 0;
  const securePort = plane.addresses().https[0]?.port ?? 0;
  const clients: Peer[] = [];
  const client = async (tls: Bun.TLSOptions = ANYBODY): Promise<Peer> => {
    const secure = options.secure !== undefined;
    const peer = await dial(secure ? securePort : port, host, undefined, secure ? tls : undefined);
    clients.push(peer);
    return peer;
  };
  const stop = (): void => {
    for (const peer of clients) if (!peer.closed) peer.reset();
    plane.stop();
    origin.stop();
  };
  return { plane, origin, port, securePort, client, stop };
}

function tlsOf(host: string, secure: Secure | undefined): Pick<EdgeSettings, "https" | "tls"> {
  if (secure === undefined) return PLAIN_EDGE;
  const tls = { ...PLAIN_EDGE.tls, ...secure.settings, fallback: secure.fallback };
  return { https: [{ host, port: 0 }], tls };
}

/** Runs `body` against a rig and stops the rig, whatever happens. */
export async function withRig(
  script: Script,
  body: (rig: Rig) => Promise<void>,
  options: RigOptions = {},
): Promise<void> {
  const rig = openRig(script, options);
  try {
    await body(rig);
    if (rig.origin.failures.length > 0) throw new Error(rig.origin.failures.join("; "));
  } finally {
    rig.stop();
  }
}

/** The first model: any host, any path, one backend. */
export function deltaOf(
  endpoints: readonly Endpoint[],
  policy: RoutePolicy,
  tls: UpstreamTls | null = null,
): Delta {
  const reason = endpoints.length === 0 ? "no endpoint" : "";
  const route = {
    id: "wire",
    origin: { kind: "Test", namespace: "wire", name: "wire", field: "" },
    match: {
      path: { kind: "prefix", value: "/" },
      methods: [],
      headers: [],
      cookies: [],
      queries: [],
    },
    action: { kind: "forward", split: [{ backend: "wire", weight: 1 }], cursor: NONE },
    policy,
  } as const;
  return {
    ...NOTHING,
    base: 0,
    version: 1,
    hosts: [{ name: "*", policy: "", routes: [route] }],
    backends: [{ id: "wire", endpoints, reason, balance: "leastRequest", tls }],
  };
}
