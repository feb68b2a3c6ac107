/** What a server answers to whoever writes, or asks for what it may not have. */
import * as assert from "uvu/assert";
import type { Json } from "./client.ts";
import {
  ask,
  type Case,
  CLASS,
  create,
  ingress,
  ingresses,
  MERGE,
  service,
} from "./target.cases.ts";
import { services, slice, slices } from "./target.cases.ts";

const ADDRESS = { loadBalancer: { ingress: [{ ip: "192.0.2.1" }] } };

export const WRITES: readonly Case[] = [
  {
    name: "an object gets a uid, a time in seconds, a version and a generation",
    run: async (target) => {
      const { metadata } = await create(target.admin, ingresses(target.namespace), ingress("a"));
      assert.match(metadata.uid, /^[0-9a-f-]{36}$/);
      assert.match(metadata.creationTimestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
      assert.equal([metadata.namespace, metadata.generation], [target.namespace, 1]);
    },
  },
  {
    name: "the status is written through /status, and nothing else is",
    run: async (target) => {
      const path = `${ingresses(target.namespace)}/a`;
      await create(target.admin, ingresses(target.namespace), ingress("a"));
      const body = { status: ADDRESS, spec: { ingressClassName: "other" } };
      const through = { body, type: MERGE };
      const written = await ask(target.admin, "PATCH", `${path}/status`, through);
      assert.equal(written.status, ADDRESS);
      assert.equal([written.spec.ingressClassName, written.metadata.generation], [CLASS, 1]);
      const other = {
        status: { loadBalancer: { ingress: [] } },
        spec: { ingressClassName: "new" },
      };
      const past = await ask(target.admin, "PATCH", path, { body: other, type: MERGE });
      assert.equal(past.status, ADDRESS);
      assert.equal([past.spec.ingressClassName, past.metadata.generation], ["new", 2]);
    },
  },
  {
    name: "a write that changes nothing makes no version",
    run: async (target) => {
      const path = `${ingresses(target.namespace)}/a`;
      await create(target.admin, ingresses(target.namespace), ingress("a"));
      const call = { body: { status: ADDRESS }, type: MERGE };
      const first = await ask(target.admin, "PATCH", `${path}/status`, call);
      const second = await ask(target.admin, "PATCH", `${path}/status`, call);
      assert.is(second.metadata.resourceVersion, first.metadata.resourceVersion);
    },
  },
  {
    name: "whoever writes on top of an old version is refused with 409",
    run: async (target) => {
      const path = `${services(target.namespace)}/a`;
      const old = await create(target.admin, services(target.namespace), service("a"));
      const body = { metadata: { annotations: { x: "1" } } };
      await ask(target.admin, "PATCH", path, { body, type: MERGE });
      const { resourceVersion } = old.metadata;
      const late = { metadata: { resourceVersion, annotations: { x: "2" } } };
      const patch = await ask(target.admin, "PATCH", path, {
        status: 409,
        body: late,
        type: MERGE,
      });
      assert.equal([patch.kind, patch.reason], ["Status", "Conflict"]);
      const put = await ask(target.admin, "PUT", path, { status: 409, body: old });
      assert.is(put.reason, "Conflict");
    },
  },
  {
    name: "a name is given once",
    run: async (target) => {
      const path = services(target.namespace);
      await create(target.admin, path, service("a"));
      const { reason } = await ask(target.admin, "POST", path, { status: 409, body: service("a") });
      assert.is(reason, "AlreadyExists");
    },
  },
  {
    name: "of two that take a Lease over, one wins",
    run: async (target) => {
      const path = `/apis/coordination.k8s.io/v1/namespaces/${target.namespace}/leases`;
      const lease = (holderIdentity: string) => ({
        apiVersion: "coordination.k8s.io/v1",
        kind: "Lease",
        metadata: { name: "rind" },
        spec: {
          holderIdentity,
          leaseDurationSeconds: 15,
          renewTime: "2026-01-01T00:00:00.000000Z",
        },
      });
      const made = await create(target.admin, path, lease("a"));
      const take = (who: string): Json => ({
        ...made,
        spec: { ...made.spec, holderIdentity: who },
      });
      const answers = await Promise.all(
        ["b", "c"].map((who) => target.admin.ask("PUT", `${path}/rind`, { body: take(who) })),
      );
      assert.equal(answers.map(({ status }) => status).sort(), [200, 409]);
    },
  },
  {
    name: "an Event is made in the namespace of its object",
    run: async (target) => {
      const { namespace } = target;
      const path = `/api/v1/namespaces/${namespace}/events`;
      const body = {
        apiVersion: "v1",
        kind: "Event",
        metadata: { name: "a.1", namespace },
        involvedObject: { kind: "Ingress", namespace, name: "a", uid: "1" },
        reason: "Rejected",
        message: "no",
        type: "Warning",
        source: { component: "rind" },
      };
      await ask(target.admin, "POST", path, { status: 201, body });
      const again = await ask(target.admin, "POST", path, { status: 409, body });
      assert.is(again.reason, "AlreadyExists");
    },
  },
  {
    name: "who may not is told who, what and where, with 403",
    run: async (target) => {
      const group = `in API group "networking.k8s.io"`;
      const says = (what: string, where: string): string =>
        `${what} is forbidden: User "${target.user}" cannot list resource "ingresses" ${group} ${where}`;
      const where = ingresses(target.namespace);
      const cases: readonly (readonly [string, string])[] = [
        ["/apis/networking.k8s.io/v1/ingresses", "at the cluster scope"],
        [where, `in the namespace "${target.namespace}"`],
      ];
      for (const [path, scope] of cases) {
        const body = await ask(target.denied, "GET", path, { status: 403 });
        assert.equal([body.kind, body.reason, body.code], ["Status", "Forbidden", 403]);
        assert.is(body.message, says("ingresses.networking.k8s.io", scope));
        assert.equal([body.details.kind, body.details.group], ["ingresses", "networking.k8s.io"]);
      }
      const watch = { query: { watch: "true" } };
      const body = await ask(target.denied, "GET", where, { status: 403, ...watch });
      assert.ok(body.message.includes('cannot watch resource "ingresses"'), body.message);
    },
  },
  {
    name: "whom it does not know it refuses with 401",
    run: async (target) => {
      const body = await ask(target.unknown, "GET", ingresses(target.namespace), { status: 401 });
      assert.equal([body.kind, body.reason], ["Status", "Unauthorized"]);
    },
  },
  {
    name: "what is not there is 404: an object, and a kind that nobody installed",
    run: async (target) => {
      const body = await ask(target.admin, "GET", `${ingresses(target.namespace)}/none`, {
        status: 404,
      });
      assert.equal([body.kind, body.reason, body.details.name], ["Status", "NotFound", "none"]);
      await ask(target.admin, "GET", "/apis/rind.dev/v1/rollouts", { status: 404 });
      await ask(target.admin, "DELETE", `${ingresses(target.namespace)}/none`, { status: 404 });
    },
  },
  {
    name: "loopback and link-local endpoints are refused, those of test networks are not",
    needs: "validates",
    run: async (target) => {
      const path = slices(target.namespace);
      for (const address of ["127.0.0.1", "169.254.169.254", "0.0.0.0"]) {
        const { reason } = await ask(target.admin, "POST", path, {
          status: 422,
          body: slice("a", address),
        });
        assert.is(reason, "Invalid");
      }
      await create(target.admin, path, slice("a", "198.18.0.1"));
    },
  },
];
