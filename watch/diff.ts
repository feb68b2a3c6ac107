/**
 * What changed from one model to the next, host by host and backend by backend. Both lists of a
 * model are in the order of their names, so that two of them are walked side by side; what both
 * models share by reference costs one comparison.
 */
import { assert } from "../core/assert.ts";
import type { Backend, Delta, Model, VirtualHost } from "../core/model.ts";

type Differences<T> = Readonly<{ changed: readonly T[]; gone: readonly string[] }>;

/**
 * The smallest true delta: hosts and backends that are new or not deeply equal, and the names of
 * those that are no more.
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

/** Whether nothing but the version differs. */
export function equal(old: Model, next: Model): boolean {
  return alike(old.hosts, next.hosts) && alike(old.backends, next.backends);
}

function alike<T>(old: readonly T[], next: readonly T[]): boolean {
  if (old === next) return true;
  return old.length === next.length && old.every((item, i) => same(item, next[i]!));
}

function compare<T>(
  old: readonly T[],
  next: readonly T[],
  key: (item: T) => string,
): Differences<T> {
  const changed: T[] = [];
  const gone: string[] = [];
  walk(old, next, key, (known, item) => {
    if (item === null) gone.push(key(known!));
    else if (known === null || !same(known, item)) changed.push(item);
  });
  return { changed, gone };
}

/** Calls for each place where the lists are not the same thing: a change, or one that is alone. */
function walk<T>(
  old: readonly T[],
  next: readonly T[],
  key: (item: T) => string,
  differ: (known: T | null, item: T | null) => void,
): void {
  if (old === next) return;
  let at = 0;
  let last: string | null = null;
  for (const item of next) {
    if (at < old.length && old[at] === item) {
      at++;
      continue;
    }
    const name = key(item);
    assert(last === null || last < name, "names are in order in a model");
    last = name;
    while (at < old.length && key(old[at]!) < name) differ(old[at++]!, null);
    if (at === old.length || key(old[at]!) !== name) differ(null, item);
    else if (old[at++] !== item) differ(old[at - 1]!, item);
  }
  while (at < old.length) differ(old[at++]!, null);
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
