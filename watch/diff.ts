/** What changed from one model to the next, host by host and backend by backend. */
import { assert } from "../core/assert.ts";
import type { Backend, Delta, Model, VirtualHost } from "../core/model.ts";

type Changes<T> = Readonly<{ changed: readonly T[]; gone: readonly string[] }>;

/**
 * The smallest true delta: hosts and backends that are new or not deeply equal, and the names of
 * those that are no more. What both models share by reference costs one comparison.
 */
export function diff(old: Model, next: Model): Delta {
  const hosts = compare(old.hosts, next.hosts, hostName);
  const backends = compare(old.backends, next.backends, backendId);
  return {
    base: old.version,
    version: next.version,
    hosts: hosts.changed,
    hostsGone: hosts.gone,
    backends: backends.changed,
    backendsGone: backends.gone,
  };
}

/**
 * `next`, built from the hosts and backends of `old` wherever they are deeply equal, so that later
 * comparisons are by reference. It is `old` itself when nothing but the version differs.
 */
export function share(old: Model, next: Model): Model {
  const hosts = shared(old.hosts, next.hosts, hostName);
  const backends = shared(old.backends, next.backends, backendId);
  if (hosts === old.hosts && backends === old.backends) return old;
  return { version: next.version, hosts, backends };
}

function compare<T>(old: readonly T[], next: readonly T[], key: (item: T) => string): Changes<T> {
  const before = index(old, key);
  const changed: T[] = [];
  for (const item of next) {
    const known = before.get(key(item));
    before.delete(key(item));
    if (known === undefined || !same(known, item)) changed.push(item);
  }
  return { changed, gone: [...before.keys()] };
}

function shared<T>(old: readonly T[], next: readonly T[], key: (item: T) => string): readonly T[] {
  const before = index(old, key);
  let unchanged = old.length === next.length;
  const items = next.map((item) => {
    const known = before.get(key(item));
    if (known !== undefined && same(known, item)) return known;
    unchanged = false;
    return item;
  });
  return unchanged ? old : items;
}

function index<T>(items: readonly T[], key: (item: T) => string): Map<string, T> {
  const byKey = new Map<string, T>();
  for (const item of items) byKey.set(key(item), item);
  assert(byKey.size === items.length, "names are unique in a model");
  return byKey;
}

function same<T>(one: T, other: T): boolean {
  return one === other || Bun.deepEquals(one, other, true);
}

function hostName(host: VirtualHost): string {
  return host.name;
}

function backendId(backend: Backend): string {
  return backend.id;
}
