/**
 * What changed from one model to the next, thing by thing. All lists of a model are in the order of
 * their names, so that two of them are walked side by side; what both models share by reference
 * costs one comparison.
 */
import { assert } from "../core/assert.ts";
import type { Delta, Model } from "../core/model.ts";

type Differences<T> = Readonly<{ changed: readonly T[]; gone: readonly string[] }>;

/** The smallest true delta: what is new or not deeply equal, and the names of what is no more. */
export function diff(old: Model, next: Model): Delta {
  const hosts = compare(old.hosts, next.hosts, nameOf);
  const backends = compare(old.backends, next.backends, idOf);
  const certificates = compare(old.certificates, next.certificates, idOf);
  const secure = compare(old.secure, next.secure, nameOf);
  return {
    base: old.version,
    version: next.version,
    hosts: hosts.changed,
    hostsGone: hosts.gone,
    backends: backends.changed,
    backendsGone: backends.gone,
    certificates: certificates.changed,
    certificatesGone: certificates.gone,
    secure: secure.changed,
    secureGone: secure.gone,
  };
}

/** Whether nothing but the version differs. */
export function equal(old: Model, next: Model): boolean {
  return (
    alike(old.hosts, next.hosts) &&
    alike(old.backends, next.backends) &&
    alike(old.certificates, next.certificates) &&
    alike(old.secure, next.secure)
  );
}

function alike<T>(old: readonly T[], next: readonly T[]): boolean {
  if (old === next) return true;
  if (old.length !== next.length) return false;
  for (let i = 0; i < old.length; i++) if (!same(old[i]!, next[i]!)) return false;
  return true;
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
  // Nearly always nearly all of it is the same, and looking at names is what takes long.
  let at = 0;
  while (at < old.length && at < next.length && old[at] === next[at]) at++;
  let oldEnd = old.length;
  let end = next.length;
  while (oldEnd > at && end > at && old[oldEnd - 1] === next[end - 1]) {
    oldEnd--;
    end--;
  }
  let last: string | null = null;
  for (let i = at; i < end; i++) {
    const item = next[i]!;
    if (at < oldEnd && old[at] === item) {
      at++;
      continue;
    }
    const name = key(item);
    assert(last === null || last < name, "names are in order in a model");
    last = name;
    while (at < oldEnd && key(old[at]!) < name) differ(old[at++]!, null);
    if (at === oldEnd || key(old[at]!) !== name) differ(null, item);
    else if (old[at++] !== item) differ(old[at - 1]!, item);
  }
  while (at < oldEnd) differ(old[at++]!, null);
}

function same<T>(one: T, other: T): boolean {
  return one === other || Bun.deepEquals(one, other, true);
}

function nameOf({ name }: Readonly<{ name: string }>): string {
  return name;
}

function idOf({ id }: Readonly<{ id: string }>): string {
  return id;
}
