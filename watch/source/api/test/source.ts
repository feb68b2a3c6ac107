import { suite } from "uvu";
import * as assert from "uvu/assert";
import { fakeClock } from "../../../../core/clock.ts";
import { Random } from "../../../../core/random.ts";
import type { ApiClient, ApiFailure } from "../api.ts";
import { ApiSource, type ApiScope } from "../source.ts";
import {
  classOf,
  Cluster,
  EVERYTHING,
  ingressOf,
  secretOf,
  serviceOf,
  until,
} from "./fixture/cluster.ts";
import { settled } from "./fixture/script.ts";

const AWAY: ApiFailure = {
  ok: false,
  status: 0,
  reason: "away",
  retryAfterMs: null,
  body: null,
};

const test = suite("source of an API server");

/** Runs `body` in a cluster of its own. */
async function within(
  body: (cluster: Cluster) => Promise<void>,
  scope: ApiScope = EVERYTHING,
  options: ConstructorParameters<typeof Cluster>[1] = {},
): Promise<void> {
  const cluster = new Cluster(scope, options);
  try {
    await body(cluster);
  } finally {
    cluster.stop();
  }
}

for (const stream of [true, false]) {
  const how = stream ? "streamed" : "paged";
  test(`${how}: everything is told, then synced, then every change`, () =>
    within(
      async (cluster) => {
        const { server, told } = cluster;
        for (let i = 0; i < 1_200; i++) server.put(serviceOf("many", `s${i}`, 80));
        server.put(ingressOf("shop", "web"));
        await cluster.start();
        assert.is(told.events.length, 1_203);
        server.put(serviceOf("shop", "c", 80));
        server.put(serviceOf("shop", "a", 90));
        server.remove("Service", "shop", "b");
        await until(() => told.events.length === 1_206, "three changes");
        assert.equal(told.events.slice(-3), [
          "put Service shop/c",
          "put Service shop/a",
          "gone Service shop/b",
        ]);
        assert.is(told.synced, 1);
        assert.is(server.count({ verb: "list" }) > 0, !stream);
      },
      EVERYTHING,
      { stream },
    ));
}

test("a server without streamed lists is asked for pages", async () => {
  const { startApiServer } = await import("../../../../test/apiserver.ts");
  const server = startApiServer({ watchList: false });
  await within(
    async (cluster) => {
      await cluster.start();
      assert.is(cluster.told.keys("Service"), "shop/a shop/b");
    },
    EVERYTHING,
    { server },
  );
});

test("without one of the kinds nothing is synced, and the finding says who to ask", () =>
  within(async (cluster) => {
    const { server, told } = cluster;
    const allow = server.deny({ resource: "endpointslices" });
    await cluster.start(false);
    await until(() => told.findings.length === 1, "a finding");
    assert.is(told.synced, 0);
    assert.is(told.findings[0]?.name, "watch of EndpointSlice");
    assert.match(told.findings[0]?.reason ?? "", /^RBAC denies it: .*endpointslices/);
    assert.is(told.keys("Service"), "shop/a shop/b");
    const asked = (): number => server.count({ resource: "endpointslices" });
    const before = asked();
    await until(() => asked() > before + 2, "three more refusals");
    assert.is(told.heard, 1, "which is nothing new");
    allow();
    await until(() => told.synced === 1, "synced");
    await until(() => told.findings.length === 0, "no finding");
  }));

test("in a whole cluster, classes that may not be read are no empty list", () =>
  within(async (cluster) => {
    const { server, told } = cluster;
    server.deny({ resource: "ingressclasses" });
    await cluster.start(false);
    await until(() => told.findings.length === 1, "a finding");
    await until(() => told.keys("Service") === "shop/a shop/b", "the other kinds");
    await until(() => server.count({ resource: "ingressclasses" }) > 2, "the next refusal");
    assert.is(told.synced, 0);
    assert.is(told.findings[0]?.effect, "rind does not serve before it has read them");
  }));

test("a kind that is denied later keeps what it has, and the others go on", () =>
  within(async (cluster) => {
    const { server, told, source } = cluster;
    await cluster.start();
    const allow = server.deny({ resource: "services" });
    server.disturb({ kind: "end" }, { resource: "services", times: 1 });
    server.put(serviceOf("shop", "c", 80));
    await until(() => told.findings.length === 1, "a finding");
    assert.is(told.findings[0]?.effect, "the last state known stays in use");
    server.put(ingressOf("shop", "web"));
    await until(() => told.keys("Ingress") === "shop/web", "the Ingress");
    server.remove("Service", "shop", "a");
    assert.ok(told.keys("Service").startsWith("shop/a shop/b"));
    assert.match(source.feeds().find(({ name }) => name === "Service")?.problem ?? "", /^RBAC/);
    allow();
    await until(() => told.keys("Service") === "shop/b shop/c", "what became of it");
  }));

test("a server that goes away takes nothing with it, and what was missed comes with it", () =>
  within(async (cluster) => {
    const { server, told, source } = cluster;
    await cluster.start();
    server.down();
    await until(() => source.feeds().every(({ problem }) => problem !== ""), "problems");
    const before = told.events.length;
    server.remove("Service", "shop", "a");
    server.put(serviceOf("shop", "c", 80));
    server.compact();
    assert.is(told.events.length, before);
    assert.equal(told.findings, []);
    server.up();
    await until(() => told.keys("Service") === "shop/b shop/c", "what it missed");
    await until(() => source.feeds().every(({ problem }) => problem === ""), "no problems");
    assert.is(told.synced, 1);
  }));

test("a token that runs out is read anew", async () => {
  let token = "one";
  await within(
    async (cluster) => {
      const { server, told } = cluster;
      server.guard.tokens.set("one", "system:admin");
      await cluster.start();
      server.guard.tokens.clear();
      server.guard.tokens.set("two", "system:admin");
      token = "two";
      server.disturb({ kind: "end" }, { resource: "services", times: 1 });
      server.put(serviceOf("shop", "c", 80));
      await until(() => told.keys("Service").endsWith("shop/c"), "a watch with the new token");
      server.put(serviceOf("shop", "d", 80));
      await until(() => told.keys("Service").endsWith("shop/d"), "further changes");
    },
    EVERYTHING,
    { token: () => token },
  );
});

test("an object that becomes garbage stays as it was, with a finding", () =>
  within(async (cluster) => {
    const { server, told } = cluster;
    await cluster.start();
    server.put({ ...serviceOf("shop", "a", 80), spec: { ports: 7 } });
    server.put({ ...serviceOf("shop", "z", 80), spec: { ports: 7 } });
    await until(() => told.findings.length === 2, "findings");
    assert.is(told.keys("Service"), "shop/a shop/b");
    assert.equal(told.findings.map(({ name, effect }) => `${name}: ${effect}`).sort(), [
      "a: the version before stays in use",
      "z: this Service is ignored",
    ]);
    server.put(serviceOf("shop", "a", 81));
    server.remove("Service", "shop", "z");
    await until(() => told.findings.length === 0, "no findings");
  }));

test("Secrets are followed by name, and no other one is ever asked for", () =>
  within(async (cluster) => {
    const { server, told, source } = cluster;
    for (const name of ["tls", "other"]) server.put(secretOf("shop", name));
    await cluster.start();
    const want = (...names: string[]): void =>
      source.want({ secrets: new Set(names), names: new Set() });
    want("shop/tls", "shop/late");
    await until(() => told.keys("Secret") === "shop/tls", "the Secret");
    await until(() => [...told.absent].join() === "shop/late", "that the other is not there");
    assert.ok(source.settled());
    server.put(secretOf("shop", "late"));
    await until(() => told.keys("Secret") === "shop/late shop/tls", "the Secret that came later");
    server.remove("Secret", "shop", "tls");
    await until(() => [...told.absent].join() === "shop/tls", "that it is gone");
    want("shop/late");
    assert.is(told.keys("Secret"), "shop/late");
    assert.is(told.absent.size, 0, "nobody asks");
    for (const { call } of server.seen.filter(({ call }) => call.resource === "secrets")) {
      assert.match(call.query.get("fieldSelector") ?? "", /^metadata\.name=(tls|late)$/);
      assert.is(call.namespace, "shop");
    }
  }));

test("a Secret that may not be read is a finding with the command that mends it", () =>
  within(async (cluster) => {
    const { server, told, source } = cluster;
    server.put(secretOf("shop", "tls"));
    const allow = server.deny({ resource: "secrets" });
    await cluster.start();
    source.want({ secrets: new Set(["shop/tls"]), names: new Set() });
    await until(() => told.findings.length === 1, "a finding");
    assert.is(told.absent.size, 0, "nobody knows");
    assert.ok(source.settled(), "a refusal is an answer");
    const [finding] = told.findings;
    assert.equal([finding?.kind, finding?.namespace, finding?.name], ["Secret", "shop", "tls"]);
    assert.is(
      finding?.hint,
      "kubectl create rolebinding rind-secrets -n shop " +
        "--clusterrole=rind-secrets --serviceaccount=rind:rind",
    );
    server.put(serviceOf("shop", "c", 80));
    await until(() => told.keys("Service").endsWith("shop/c"), "the others go on");
    source.want({ secrets: new Set(), names: new Set() });
    await until(() => told.findings.length === 0, "nothing about what nobody wants");
    source.want({ secrets: new Set(["shop/tls"]), names: new Set() });
    await until(() => told.findings.length === 1, "the finding again");
    allow();
    await until(() => told.keys("Secret") === "shop/tls", "the Secret");
    await until(() => told.findings.length === 0, "no finding");
  }));

test("what is denied after it was read stays in use, and nobody says otherwise", () =>
  within(
    async (cluster) => {
      const { server, told, source } = cluster;
      server.put(secretOf("shop", "tls"));
      server.put(classOf("rind"));
      await cluster.start();
      source.want({ secrets: new Set(["shop/tls", "shop/none"]), names: new Set() });
      await until(() => told.keys("Secret") === "shop/tls" && told.absent.size === 1, "Secrets");
      for (const resource of ["secrets", "ingressclasses"]) {
        server.deny({ resource });
        for (const watch of server.watches(resource)) watch.end();
      }
      await until(() => told.findings.length === 3, "findings");
      const effects = told.findings.map(({ name, effect }) => `${name}: ${effect}`);
      assert.equal(effects.sort(), [
        "none: it counts as missing until it is read",
        "tls: the last state known stays in use",
        "watch of IngressClass: the last state known stays in use",
      ]);
      assert.is(told.keys("Secret"), "shop/tls");
    },
    { ...EVERYTHING, namespaces: ["shop"], namespaceObjects: false },
  ));

test("Secrets beyond the watches that there may be are read in turn", () =>
  within(async (cluster) => {
    const { server, told, source } = cluster;
    const names = Array.from({ length: 120 }, (_, i) => `tls-${i}`);
    for (const name of names) server.put(secretOf("shop", name));
    await cluster.start();
    const wanted = new Set(names.map((name) => `shop/${name}`));
    source.want({ secrets: wanted, names: new Set() });
    const count = (): number => told.keys("Secret").split(" ").length;
    await until(() => count() === 120, "all of them");
    assert.is(server.watches("secrets").length, 100);
    server.remove("Secret", "shop", "tls-119");
    await until(() => count() === 119, "one less");
    assert.equal([...told.absent], ["shop/tls-119"]);
    server.put(secretOf("shop", "tls-119"));
    await until(() => count() === 120, "all of them again");
    source.want({ secrets: new Set(), names: new Set() });
    assert.is(told.keys("Secret"), "");
    assert.is(told.absent.size, 0);
    await until(() => server.watches("secrets").length === 0, "no watch");
  }));

test("a Secret that was read in turn gets the first watch that is free", () =>
  within(async (cluster) => {
    const { server, told, source } = cluster;
    const names = Array.from({ length: 102 }, (_, i) => `tls-${i}`);
    for (const name of names) server.put(secretOf("shop", name));
    const keysOf = (some: readonly string[]) => new Set(some.map((name) => `shop/${name}`));
    await cluster.start();
    source.want({ secrets: keysOf(names), names: new Set() });
    await until(() => told.keys("Secret").split(" ").length === 102, "all of them");
    const undo = server.disturb({ kind: "delay", ms: 100 }, { resource: "secrets" });
    server.remove("Secret", "shop", "tls-101");
    source.want({ secrets: keysOf(names.slice(2)), names: new Set() });
    assert.is(told.keys("Secret").split(" ").length, 100, "nobody knows better yet");
    await until(() => told.absent.has("shop/tls-101"), "that one of them is gone");
    undo();
    assert.not(told.keys("Secret").includes("shop/tls-101"));
    assert.ok(told.keys("Secret").includes("shop/tls-100"));
    assert.is(server.watches("secrets").length, 100);
    const gets = (): number => server.count({ resource: "secrets", verb: "get" });
    const before = gets();
    for (const name of ["tls-100", "tls-101"]) server.put(secretOf("shop", name));
    await until(() => told.absent.size === 0, "what its watch tells");
    assert.is(told.keys("Secret").split(" ").length, 100);
    assert.is(gets(), before);
  }));

test("Secrets that are denied do not make the API server look away", () =>
  within(async (cluster) => {
    const { server, source } = cluster;
    server.deny({ resource: "secrets" });
    await cluster.start();
    const names = Array.from({ length: 101 }, (_, i) => `shop/tls-${i}`);
    source.want({ secrets: new Set(names), names: new Set() });
    const gets = (): number => server.count({ resource: "secrets", verb: "get" });
    const ageMs = (): number =>
      source.feeds().find(({ name }) => name === "Secret by name")?.ageMs ?? Infinity;
    await until(() => gets() > 12, "two minutes of reading in turn");
    await until(() => ageMs() < 100_000, "that it was heard meanwhile");
  }));

test("a Secret that is not wanted any more when it is answered is not told", () =>
  within(async (cluster) => {
    const { server, told, source } = cluster;
    const names = Array.from({ length: 101 }, (_, i) => `tls-${i}`);
    server.put(secretOf("shop", "tls-100"));
    await cluster.start();
    const undo = server.disturb({ kind: "delay", ms: 100 }, { resource: "secrets", verb: "get" });
    source.want({ secrets: new Set(names.map((name) => `shop/${name}`)), names: new Set() });
    const gets = (): number => server.count({ resource: "secrets", verb: "get" });
    await until(() => gets() === 1, "the question");
    source.want({ secrets: new Set(["shop/other"]), names: new Set() });
    await until(() => told.absent.has("shop/other"), "something else");
    undo();
    const late = names.map((name) => `shop/${name}`);
    source.want({ secrets: new Set(late.slice(0, 100).concat("shop/last")), names: new Set() });
    await until(() => told.absent.has("shop/last"), "the next question");
    assert.is(told.keys("Secret"), "");
    assert.is(server.count({ resource: "secrets", verb: "get", name: "tls-100" }), 1);
  }));

test("with all Secrets there is one feed of them", () =>
  within(
    async (cluster) => {
      const { server, told, source } = cluster;
      server.put(secretOf("shop", "tls"));
      await cluster.start();
      assert.is(told.keys("Secret"), "shop/tls");
      source.want({ secrets: new Set(["shop/tls"]), names: new Set() });
      assert.is(server.watches("secrets").length, 1);
    },
    { ...EVERYTHING, secrets: "all" },
  ));

test("of some namespaces nothing else is read, and classes may be denied", () =>
  within(
    async (cluster) => {
      const { server, told } = cluster;
      server.put(serviceOf("other", "x", 80));
      server.put(serviceOf("late", "y", 80));
      server.deny({ resource: "ingressclasses" });
      await cluster.start();
      assert.is(told.keys("Service"), "late/y shop/a shop/b");
      assert.equal(
        told.findings.map(({ name, effect }) => [name, effect]),
        [["watch of IngressClass", "rind goes on without ingressclasses"]],
      );
      const places = new Set(server.seen.map(({ call }) => `${call.resource} ${call.namespace}`));
      assert.equal([...places].sort(), [
        "endpointslices late",
        "endpointslices shop",
        "ingressclasses ",
        "ingresses late",
        "ingresses shop",
        "services late",
        "services shop",
      ]);
    },
    { namespaces: ["shop", "late", "shop"], namespaceObjects: false, secrets: "named" },
  ));

test("more namespaces than there may be watches for are said not to be followed", () => {
  const namespaces = Array.from({ length: 52 }, (_, i) => `n${i}`);
  return within(
    async (cluster) => {
      const { told, source } = cluster;
      await cluster.start();
      await until(() => told.findings.length > 0, "a finding");
      assert.is(told.findings[0]?.effect, "not followed: n50, n51");
      assert.is(source.feeds().length, 1 + 3 * 50);
    },
    { namespaces, namespaceObjects: false, secrets: "named" },
  );
});

test("the statuses of Ingresses are kept beside them", () =>
  within(async (cluster) => {
    const { server, source } = cluster;
    const moved: string[] = [];
    source.onStatus((key) => moved.push(key));
    const status = { loadBalancer: { ingress: [{ ip: "192.0.2.1" }] } };
    server.put(ingressOf("shop", "web", { status }));
    await cluster.start();
    assert.equal(source.statuses.get("shop/web")?.ingress, [{ ip: "192.0.2.1" }]);
    server.put(ingressOf("shop", "web"));
    await until(() => source.statuses.get("shop/web")?.ingress.length === 0, "no address");
    server.remove("Ingress", "shop", "web");
    await until(() => source.statuses.size === 0, "no status");
    assert.equal(moved, ["shop/web", "shop/web", "shop/web"]);
  }));

test("one feed that gets through wakes the others", async () => {
  const clock = fakeClock();
  const asked: string[] = [];
  let back = "";
  const client: ApiClient = {
    ask: () => Promise.resolve(AWAY),
    stream: ({ path }, events) => {
      asked.push(path);
      void Promise.resolve().then(() => {
        if (path !== back) return events.closed(AWAY);
        events.opened();
        events.line('{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"5"}}}');
      });
      return () => {};
    },
  };
  const terms = { client, clock, random: new Random(5), stream: true };
  const source = new ApiSource(terms, EVERYTHING, () => {});
  source.watch(() => {});
  const pass = async (ms: number): Promise<void> => {
    for (let left = ms; left > 0; left -= 50) {
      clock.advance(50);
      await settled();
    }
  };
  await pass(300_000);
  back = "/api/v1/services";
  while (asked.at(-1) !== back) await pass(50);
  asked.length = 0;
  await pass(300);
  assert.equal(asked.sort(), [
    "/api/v1/namespaces",
    "/apis/discovery.k8s.io/v1/endpointslices",
    "/apis/networking.k8s.io/v1/ingressclasses",
    "/apis/networking.k8s.io/v1/ingresses",
  ]);
  source.stop();
});

test("nothing is told after stop", () =>
  within(async (cluster) => {
    const { server, told, source } = cluster;
    await cluster.start();
    source.stop();
    await until(() => server.watches().length === 0, "no watch");
    server.put(serviceOf("shop", "c", 80));
    assert.is(told.keys("Service"), "shop/a shop/b");
  }));

test("a chosen namespace that holds nothing may be misspelled, until it holds something", () =>
  within(
    async (cluster) => {
      await cluster.start();
      const reasons = () => cluster.told.findings.map(({ reason }) => reason);
      assert.equal(reasons(), ["namespace shpo holds nothing that rind reads"]);
      cluster.server.put(serviceOf("shpo", "a", 80));
      await until(() => reasons().length === 0, "that is no finding any more");
    },
    { ...EVERYTHING, namespaces: ["shop", "shpo"], namespaceObjects: false },
  ));

test.run();
