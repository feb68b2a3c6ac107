import { test } from "uvu";
import * as assert from "uvu/assert";

import {
  type Action,
  DEFAULT_POLICY,
  EMPTY_MODEL,
  type Model,
  type Route,
} from "../../../core/model.ts";
import { describe } from "../describe.ts";

const NO_CONDITIONS = { methods: [], headers: [], cookies: [], queries: [] };

function route(value: string, action: Action, more: Partial<Route> = {}): Route {
  return {
    id: `GRPCRoute shop/web ${value}`,
    origin: { kind: "GRPCRoute", namespace: "shop", name: "web", field: "" },
    match: { path: { kind: "prefix", value }, ...NO_CONDITIONS },
    action,
    policy: DEFAULT_POLICY,
    ...more,
  };
}

test("nothing is said to be nothing", () => {
  assert.is(describe(EMPTY_MODEL, []), "no routes\n");
});

const FORWARD: Action = {
  kind: "forward",
  split: [
    { backend: "shop/v1:http", weight: 1 },
    { backend: "shop/v2:http", weight: 2 },
  ],
  cursor: 7,
};
const EXACT: Partial<Route> = {
  match: { path: { kind: "exact", value: "/healthz" }, ...NO_CONDITIONS },
};
const PICKY: Partial<Route> = {
  match: {
    path: { kind: "prefix", value: "/api" },
    methods: ["GET", "HEAD"],
    headers: [{ name: "x-canary", value: "always" }],
    cookies: [{ name: "beta", value: null }],
    queries: [{ name: "v", value: "2" }],
  },
  policy: {
    timeouts: { connectMs: 1_000, headMs: 2_000, idleMs: 3_000 },
    bodyBytesMax: 1_024,
    retry: { max: 0, nonIdempotent: false, fresh: false },
    redirect: false,
    hsts: "",
  },
};

test("every kind of action, match and policy has a text", () => {
  const redirect: Action = { kind: "redirect", status: 308, location: "https://{host}{path}" };
  const respond: Action = { kind: "respond", status: 200, body: "ok" };
  const model: Model = {
    version: 1,
    hosts: [
      { name: "*", policy: "", routes: [route("/", redirect)] },
      { name: "*.example.com", policy: "", routes: [route("/", { ...FORWARD, split: [] })] },
      {
        name: "shop.example.com",
        policy: "",
        routes: [route("/healthz", respond, EXACT), route("/api", FORWARD, PICKY)],
      },
    ],
    backends: [
      {
        id: "shop/v1:http",
        endpoints: [],
        reason: "no ready endpoint",
        balance: "leastRequest",
        tls: null,
      },
    ],
    certificates: [],
    secure: [],
  };
  assert.equal(describe(model, []).split("\n"), [
    "shop.example.com",
    `  ${"=/healthz".padEnd(46)}  respond 200  GRPCRoute shop/web /healthz`,
    "  /api GET HEAD x-canary=always cookie:beta ?v=2" +
      "  1 shop/v1:http | 2 shop/v2:http connect=1000ms head=2000ms idle=3000ms body<=1024" +
      "  GRPCRoute shop/web /api",
    "*.example.com",
    "  /  nowhere  GRPCRoute shop/web /",
    "*",
    "  /  redirect 308 https://{host}{path}  GRPCRoute shop/web /",
    "shop/v1:http  503: no ready endpoint",
    "",
  ]);
});

test("of many endpoints the first are listed and the others counted", () => {
  const endpoints = Array.from({ length: 10 }, (_, i) => ({
    address: "::1",
    port: i + 1,
    uid: "",
  }));
  const model: Model = {
    ...EMPTY_MODEL,
    backends: [{ id: "a/b:80", endpoints, reason: "", balance: "leastRequest", tls: null }],
  };
  const listed = "[::1]:1, [::1]:2, [::1]:3, [::1]:4, [::1]:5, [::1]:6, [::1]:7, [::1]:8";
  assert.is(describe(model, []), `no routes\na/b:80  ${listed}, and 2 more\n`);
});

test("a finding is one line, and names a cluster's object without namespace", () => {
  const finding = {
    level: "warning" as const,
    kind: "IngressClass",
    namespace: "",
    name: "edge",
    field: "",
    reason: "is odd",
    hint: "",
    effect: "ignored",
  };
  assert.is(
    describe(EMPTY_MODEL, [finding]),
    "no routes\nwarning IngressClass edge  is odd; ignored\n",
  );
});

test.run();
