/** What a server answers to whoever lists and watches (kubernetes.io/docs/reference/using-api). */
import * as assert from "uvu/assert";
import type { Json } from "./client.ts";
import {
  ask,
  type Case,
  create,
  ingress,
  ingresses,
  MERGE,
  secret,
  secrets,
} from "./target.cases.ts";
import { service, services, told, until } from "./target.cases.ts";

const END = "k8s.io/initial-events-end";
const names = (list: Json): string[] => list.items.map((item: Json) => item.metadata.name);
const version = (object: Json): string => object.metadata.resourceVersion;

async function createAll(target: Parameters<Case["run"]>[0], all: readonly string[]) {
  const path = ingresses(target.namespace);
  for (const name of all) await create(target.admin, path, ingress(name));
  return path;
}

export const READS: readonly Case[] = [
  {
    name: "a list has a version; its items have names in order and no kind",
    run: async (target) => {
      const path = await createAll(target, ["b", "a"]);
      const list = await ask(target.admin, "GET", path);
      assert.is(list.kind, "IngressList");
      assert.is(list.apiVersion, "networking.k8s.io/v1");
      assert.ok(version(list) !== "");
      assert.equal(names(list), ["a", "b"]);
      assert.equal([list.items[0].kind, list.items[0].apiVersion], [undefined, undefined]);
    },
  },
  {
    name: "pages are of one moment, and together they are the list",
    run: async (target) => {
      const path = await createAll(target, ["a", "b", "c", "d", "e"]);
      const first = await ask(target.admin, "GET", path, { query: { limit: "2" } });
      assert.is(first.metadata.remainingItemCount, 3);
      await ask(target.admin, "DELETE", `${path}/d`);
      const query = (page: Json) => ({ limit: "2", continue: page.metadata.continue });
      const second = await ask(target.admin, "GET", path, { query: query(first) });
      const third = await ask(target.admin, "GET", path, { query: query(second) });
      assert.equal([first, second, third].map(names), [["a", "b"], ["c", "d"], ["e"]]);
      assert.equal([version(second), version(third)], [version(first), version(first)]);
      assert.is(third.metadata.continue ?? "", "");
    },
  },
  {
    name: "a version of 0 is answered from memory, and whole whatever the limit",
    run: async (target) => {
      const path = await createAll(target, ["a", "b", "c"]);
      // Memory may be behind; a watch that has seen the objects says that it is not.
      const watch = await target.admin.watch(path);
      await until(watch, ({ object }) => object.metadata.name === "c");
      watch.stop();
      const query = { limit: "1", resourceVersion: "0" };
      const list = await ask(target.admin, "GET", path, { query });
      assert.equal(names(list), ["a", "b", "c"]);
    },
  },
  {
    name: "a watch from the version of a list tells what came after, in order",
    run: async (target) => {
      const path = await createAll(target, ["old"]);
      const list = await ask(target.admin, "GET", path);
      await createAll(target, ["new"]);
      const body = { metadata: { annotations: { x: "1" } } };
      await ask(target.admin, "PATCH", `${path}/old`, { body, type: MERGE });
      await ask(target.admin, "DELETE", `${path}/new`);
      const watch = await target.admin.watch(path, { resourceVersion: version(list) });
      const events = await until(watch, ({ type }) => type === "DELETED");
      watch.stop();
      assert.equal(told(events), ["ADDED new", "MODIFIED old", "DELETED new"]);
      const versions = [version(list), ...events.map(({ object }) => version(object))].map(Number);
      assert.equal(
        versions,
        [...versions].sort((a, b) => a - b),
      );
      assert.equal(
        events.map(({ object }) => object.kind),
        ["Ingress", "Ingress", "Ingress"],
      );
    },
  },
  {
    name: "a watch from one event on tells the ones after it",
    run: async (target) => {
      const path = services(target.namespace);
      const made = await create(target.admin, path, service("a"));
      await create(target.admin, path, service("b"));
      const watch = await target.admin.watch(path, { resourceVersion: version(made) });
      assert.equal(told(await until(watch, () => true)), ["ADDED b"]);
      watch.stop();
    },
  },
  {
    name: "a watch without a version begins with what there is",
    run: async (target) => {
      const path = await createAll(target, ["a", "b"]);
      const watch = await target.admin.watch(path);
      const events = await until(watch, ({ object }) => object.metadata.name === "b");
      watch.stop();
      assert.equal(told(events), ["ADDED a", "ADDED b"]);
    },
  },
  {
    name: "a streamed list begins with what there is, and says where that ends (KEP-3157)",
    run: async (target) => {
      const path = await createAll(target, ["a", "b"]);
      const query = { sendInitialEvents: "true", resourceVersionMatch: "NotOlderThan" };
      const watch = await target.admin.watch(path, { ...query, allowWatchBookmarks: "true" });
      const events = await until(watch, ({ type }) => type === "BOOKMARK");
      assert.equal(told(events), ["ADDED a", "ADDED b"]);
      const { metadata, kind } = events.at(-1).object;
      assert.equal([metadata.annotations[END], kind], ["true", "Ingress"]);
      assert.ok(metadata.resourceVersion !== "");
      await createAll(target, ["c"]);
      const more = await until(watch, ({ type }) => type === "ADDED");
      watch.stop();
      assert.equal(told(more), ["ADDED c"]);
    },
  },
  {
    name: "a streamed list must say how old it may be",
    run: async (target) => {
      const query = { watch: "true", sendInitialEvents: "true", timeoutSeconds: "1" };
      const body = await ask(target.admin, "GET", ingresses(target.namespace), {
        status: 422,
        query,
      });
      assert.is(body.reason, "Invalid");
    },
  },
  {
    name: "a watch with a time ends cleanly after it, behind a bookmark of where it was",
    run: async (target) => {
      const path = await createAll(target, ["a"]);
      const list = await ask(target.admin, "GET", path);
      const query = { resourceVersion: version(list), fieldSelector: "metadata.name=a" };
      const times = { allowWatchBookmarks: "true", timeoutSeconds: "4" };
      const watch = await target.admin.watch(path, { ...query, ...times });
      // Where nothing happened since the list there is nothing to bookmark.
      const other = await create(target.admin, path, ingress("b"));
      const event = await watch.next();
      const { kind, metadata, spec } = event.object;
      assert.equal([event.type, kind, spec?.rules ?? null], ["BOOKMARK", "Ingress", null]);
      assert.ok(Number(metadata.resourceVersion) >= Number(version(other)));
      for (let more = event; more !== null; more = await watch.next()) {
        assert.is(more.type, "BOOKMARK");
      }
    },
  },
  {
    name: "a watch from a version that is forgotten is refused with 410",
    run: async (target) => {
      const path = await createAll(target, ["a"]);
      await target.compact?.();
      const watch = await target.admin.watch(path, { resourceVersion: "1" });
      const event = await watch.next();
      watch.stop();
      // Either as the answer, or as an event of an answer that began well.
      const status = watch.status === 410 ? event : event.object;
      assert.equal([status.kind, status.code, status.reason], ["Status", 410, "Expired"]);
    },
  },
  {
    name: "a page of a list that is forgotten is refused with 410",
    needs: "compact",
    run: async (target) => {
      const path = await createAll(target, ["a", "b", "c"]);
      const first = await ask(target.admin, "GET", path, { query: { limit: "1" } });
      await createAll(target, ["d"]);
      await target.compact!();
      const query = { limit: "1", continue: first.metadata.continue };
      const body = await ask(target.admin, "GET", path, { status: 410, query });
      assert.equal([body.kind, body.reason], ["Status", "Expired"]);
    },
  },
  {
    // With a limit and without a match, a real server answers with just that version, or 410.
    name: "a page that is to be not older than a version has what came after it",
    run: async (target) => {
      const path = await createAll(target, ["a"]);
      const from = version(await ask(target.admin, "GET", path));
      await createAll(target, ["b"]);
      const page = { limit: "500", resourceVersion: from };
      const query = { ...page, resourceVersionMatch: "NotOlderThan" };
      assert.equal(names(await ask(target.admin, "GET", path, { query })), ["a", "b"]);
    },
  },
  {
    name: "a list from the future is refused with 504, and says why",
    run: async (target) => {
      const query = { resourceVersion: "900000000", resourceVersionMatch: "NotOlderThan" };
      const body = await ask(target.admin, "GET", ingresses(target.namespace), {
        status: 504,
        query,
      });
      assert.equal([body.kind, body.reason], ["Status", "Timeout"]);
      const causes = body.details.causes.map(({ reason }: Json) => reason);
      assert.equal(causes, ["ResourceVersionTooLarge"]);
    },
  },
  {
    name: "a watch of one name tells of no other",
    run: async (target) => {
      const path = secrets(target.namespace);
      for (const name of ["ours", "theirs"]) {
        await create(target.admin, path, secret(name, "1"));
      }
      const watch = await target.admin.watch(path, { fieldSelector: "metadata.name=ours" });
      const body = { data: { value: btoa("2") } };
      for (const name of ["theirs", "ours"]) {
        await ask(target.admin, "PATCH", `${path}/${name}`, { body, type: MERGE });
        await ask(target.admin, "DELETE", `${path}/${name}`);
      }
      const events = await until(watch, ({ type }) => type === "DELETED");
      watch.stop();
      assert.equal([...new Set(events.map(({ object }) => object.metadata.name))], ["ours"]);
      assert.is(events.at(-1).object.data.value, btoa("2"));
    },
  },
  {
    name: "to a watch by label, an object that loses the label is deleted",
    run: async (target) => {
      const path = ingresses(target.namespace);
      await create(target.admin, path, ingress("a", "a", { team: "x" }));
      await create(target.admin, path, ingress("b"));
      const watch = await target.admin.watch(path, { labelSelector: "team" });
      const body = { metadata: { labels: { team: null } } };
      await ask(target.admin, "PATCH", `${path}/a`, { body, type: MERGE });
      const events = await until(watch, ({ type }) => type === "DELETED");
      watch.stop();
      assert.equal(
        told(events).filter((each) => !each.startsWith("MOD")),
        ["ADDED a", "DELETED a"],
      );
    },
  },
];
