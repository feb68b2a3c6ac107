import { test } from "uvu";
import * as assert from "uvu/assert";
import { FALLBACK_SHOWN, FAULTS } from "../../core/fault.ts";
import { DEFAULT_POLICY, NONE } from "../../core/model.ts";
import { describe } from "../../watch/translate/describe.ts";
import { answer } from "../api.ts";
import type { Model, Route } from "../../core/model.ts";
import type { Finding } from "../../watch/finding.ts";
import type { View } from "../api.ts";
import type { ClusterState, Readiness } from "../json.ts";

const EVIL = `</p><script>alert("x")</script>`;

function route(id: string, action: Route["action"]): Route {
  return {
    id,
    origin: { kind: "Ingress", namespace: "shop", name: "web", field: "" },
    match: {
      path: { kind: "prefix", value: "/" },
      methods: ["GET"],
      headers: [{ name: "x-a", value: null }],
      cookies: [],
      queries: [{ name: "q", value: EVIL }],
    },
    action,
    policy: DEFAULT_POLICY,
  };
}

const MODEL: Model = {
  version: 7,
  hosts: [
    {
      name: "shop.example.com",
      policy: "",
      routes: [
        route("a", {
          kind: "forward",
          split: [
            { backend: "shop/web:80", weight: 1 },
            { backend: "shop/new:80", weight: 2 ** 40 },
          ],
          cursor: NONE,
        }),
        route("b", { kind: "redirect", status: 308, location: "https://{host}{path}" }),
        route("c", { kind: "respond", status: 200, body: EVIL }),
      ],
    },
  ],
  backends: [
    {
      id: "shop/web:80",
      endpoints: [{ address: "fd00::1", port: 8080, uid: "u1" }],
      reason: "",
      balance: "roundRobin",
      tls: null,
    },
    { id: "shop/new:80", endpoints: [], reason: EVIL, balance: "leastRequest", tls: null },
  ],
  certificates: [],
  secure: [],
};

const FINDING: Finding = {
  level: "error",
  kind: "Ingress",
  namespace: "shop",
  name: "web",
  field: "spec",
  reason: EVIL,
  hint: "",
  effect: "this path answers 503",
};

function view(change: Partial<Readiness> = {}): View {
  return {
    model: () => MODEL,
    faults: () => [],
    certificates: () => [],
    findings: () => [FINDING],
    readiness: () => ({
      ready: true,
      reason: "",
      version: 7,
      http: ["[::1]:8000"],
      https: [],
      heapBytes: 2_000_000,
      bugs: 0,
      notes: [],
      workers: [{ pid: 1, serving: true, version: 7, heapBytes: 3_000_000 }],
      cluster: null,
      ...change,
    }),
  };
}

function get(path: string, init: RequestInit = {}, seen = view()): Response {
  return answer(new Request(`http://admin${path}`, init), seen);
}

const STATUS: readonly [string, string, number, RegExp][] = [
  ["GET", "/", 200, /text\/html/],
  ["GET", "/livez", 200, /text\/plain/],
  ["GET", "/readyz", 200, /application\/json/],
  ["GET", "/api/routes", 200, /text\/plain/],
  ["GET", "/api/findings", 200, /application\/json/],
  ["HEAD", "/api/findings", 200, /application\/json/],
  ["GET", "/api/findings?x=1", 200, /application\/json/],
  ["GET", "/metrics", 200, /text\/plain; version=0\.0\.4/],
  ["GET", "/api/certificates", 200, /application\/json/],
  ["GET", "/api/cluster", 200, /application\/json/],
  ["GET", "/metric", 404, /text\/plain/],
  ["GET", "/livez/", 404, /text\/plain/],
  ["POST", "/livez", 405, /text\/plain/],
  ["DELETE", "/nowhere", 405, /text\/plain/],
];

for (const [method, path, status, type] of STATUS) {
  test(`${method} ${path} is ${status}`, () => {
    const response = get(path, { method });
    assert.is(response.status, status);
    assert.match(response.headers.get("content-type") ?? "", type);
    assert.is(response.headers.get("x-content-type-options"), "nosniff");
  });
}

test("readiness is told by status and body", async () => {
  const ready = await get("/readyz").json();
  assert.equal(ready, view().readiness());
  const draining = get("/readyz", {}, view({ ready: false, reason: "draining" }));
  assert.is(draining.status, 503);
  assert.match(await draining.text(), `"reason":"draining"`);
});

test("routes come as text, or as JSON when that is asked for", async () => {
  assert.match(await get("/api/routes").text(), /^shop\.example\.com\n/);
  const json = get("/api/routes", { headers: { accept: "application/json" } });
  // All but the cursor, which is the workers' own affair.
  const shown = JSON.parse(JSON.stringify(MODEL).replaceAll(`,"cursor":${NONE}`, ""));
  assert.equal(await json.json(), shown);
});

test("findings are whole", async () => {
  assert.equal(await get("/api/findings").json(), { findings: [FINDING] });
});

const CLUSTER: ClusterState = {
  server: "https://10.0.0.1:6443",
  ageMs: 1_500,
  saved: false,
  feeds: [
    { name: "Ingress", synced: true, ageMs: 20, problem: "" },
    { name: 'Service in "x"', synced: false, ageMs: 1_500, problem: "refused" },
  ],
  report: { leader: true, holder: "rind-a", pending: 3, dropped: 4, problem: "" },
};

test("the cluster is shown with the readiness and on its own", async () => {
  const seen = view({ cluster: CLUSTER, notes: ["late"] });
  assert.equal(await get("/readyz", {}, seen).json(), seen.readiness());
  assert.equal(await get("/api/cluster", {}, seen).json(), { cluster: CLUSTER });
  assert.equal(await get("/api/cluster").json(), { cluster: null });
});

test("metrics are a help line, a type line and samples, with labels escaped", async () => {
  const text = await get("/metrics", {}, view({ cluster: CLUSTER })).text();
  for (const line of text.trimEnd().split("\n")) {
    assert.match(line, /^(# (HELP|TYPE) rind_[a-z_]+ \S.*|rind_[a-z_]+(\{.+\})? [0-9.]+)$/);
  }
  for (const line of [
    "rind_ready 1",
    "rind_model_version 7",
    'rind_findings{level="error"} 1',
    "rind_api_age_seconds 1.5",
    'rind_api_feed_synced{feed="Service in \\"x\\""} 0',
    'rind_api_feed_failing{feed="Ingress"} 0',
    "rind_leader 1",
    "rind_report_pending 3",
    "rind_events_dropped 4",
  ]) {
    assert.ok(text.split("\n").includes(line), line);
  }
});

test("faults are counters by name, those that never happened too", async () => {
  const faults = FAULTS.map((_fault, id) => (id === FALLBACK_SHOWN ? 3 : 0));
  const text = await get("/metrics", {}, { ...view(), faults: () => faults }).text();
  assert.match(text, "# TYPE rind_faults_total counter\n");
  assert.match(text, `rind_faults_total{fault="fallbackShown",source="rind"} 3\n`);
  assert.match(text, `rind_faults_total{fault="handshakeTimeout",source="client"} 0\n`);
  assert.not.match(text, `fault="none"`);
});

test("certificates are told with their hosts and their time, and no key", async () => {
  const notBeforeMs = Date.UTC(2026, 0, 1);
  const facts = { id: "shop/tls", key: "ec", names: ["*.example.com"], notBeforeMs };
  const ends = { ...facts, notAfterMs: Date.UTC(2026, 3, 1) };
  const secure = ["a.example.com", "b.example.com"].map((name) => {
    return { name, certificates: ["shop/tls"], policy: null, passthrough: "" };
  });
  const certificates = [{ id: "shop/tls", chain: "CHAIN", key: "KEY" }];
  const model = { ...MODEL, secure, certificates };
  const seen = { ...view(), model: () => model, certificates: () => [ends] };
  assert.equal(await get("/api/certificates", {}, seen).json(), {
    certificates: [
      {
        id: "shop/tls",
        keyType: "ec",
        names: ["*.example.com"],
        hosts: ["a.example.com", "b.example.com"],
        notBefore: "2026-01-01T00:00:00.000Z",
        notAfter: "2026-04-01T00:00:00.000Z",
      },
    ],
  });
  const sample = `rind_certificate_expiry_timestamp_seconds{certificate="shop/tls"} 1775001600\n`;
  assert.match(await get("/metrics", {}, seen).text(), sample);
  for (const path of ["/api/certificates", "/api/routes", "/metrics", "/readyz", "/"]) {
    for (const headers of [{}, { accept: "application/json" }]) {
      assert.not.match(await get(path, { headers }, seen).text(), /KEY|CHAIN/);
    }
  }
});

test("a folder has no metrics of an API server", async () => {
  assert.not.match(await get("/metrics").text(), "rind_api");
});

test("the page lists every path and escapes what it shows", async () => {
  const html = await get("/", {}, view({ ready: false, reason: EVIL })).text();
  for (const path of ["/livez", "/readyz", "/api/routes", "/api/findings"]) {
    assert.match(html, `href="${path}"`);
  }
  assert.not.match(html, "<script>");
});

test("what changed is told, whatever was told before", async () => {
  const other: Finding = { ...FINDING, reason: "something else" };
  const stages: readonly (readonly [Model, readonly Finding[]])[] = [
    [MODEL, [FINDING]],
    [MODEL, [FINDING]],
    [MODEL, [other]],
    [MODEL, [other, FINDING]],
    [{ ...MODEL, hosts: [] }, [other, FINDING]],
    [MODEL, []],
  ];
  for (const [model, findings] of stages) {
    const seen = { ...view(), model: () => model, findings: () => findings };
    const text = await get("/api/routes", {}, seen).text();
    assert.is(text, describe(model, findings));
    const json = await get("/api/routes", { headers: { accept: "application/json" } }, seen).json();
    assert.is((json as Model).hosts.length, model.hosts.length);
    const told = (await get("/api/findings", {}, seen).json()) as Readonly<{ findings: unknown }>;
    assert.equal(told.findings, findings);
  }
});

test.run();
