/** The objects of the API server for tests, their versions, and what happened to them lately. */
import { apiVersionOf, type KindRow, resourceOf } from "./kinds.ts";

/** As JSON has it. */
export type ApiObject = Readonly<{
  apiVersion: string;
  kind: string;
  metadata: Readonly<Metadata>;
  [field: string]: unknown;
}>;

type Metadata = {
  name: string;
  namespace?: string;
  uid?: string;
  resourceVersion?: string;
  generation?: number;
  creationTimestamp?: string;
  labels?: Readonly<Record<string, string>>;
  annotations?: Readonly<Record<string, string>>;
  [field: string]: unknown;
};

/** What tests give: the rest of the metadata is filled in. */
export type Given = Readonly<{
  apiVersion: string;
  kind: string;
  metadata: Readonly<{ name: string; [field: string]: unknown }>;
  [field: string]: unknown;
}>;

/** An object at one version. `rest` is its JSON without `{`, kind and apiVersion. */
export type Entry = Readonly<{ key: string; object: ApiObject; version: number; rest: string }>;

/** `before` is what was there, for selectors that it may have left. */
export type Change = Readonly<{
  type: "ADDED" | "MODIFIED" | "DELETED";
  row: KindRow;
  entry: Entry;
  before: Entry | null;
}>;

/** Where versions begin; any number but a small one. */
const FIRST_VERSION = 1_000;
const MS_A_SECOND = 1_000;

/** The objects by kind, one counter of versions for all, and a window of changes. */
export class Objects {
  readonly #shelves = new Map<string, Map<string, Entry>>();
  readonly #now: () => number;
  readonly #window: number;
  readonly #tell: (change: Change) => void;
  readonly #versions = new Map<string, number>();
  #history: Change[] = [];
  #version = FIRST_VERSION;
  #oldest = FIRST_VERSION;

  /** `window`: changes that are remembered. `tell` hears of each change at once. */
  constructor(window: number, now: () => number, tell: (change: Change) => void) {
    this.#window = window;
    this.#now = now;
    this.#tell = tell;
  }

  /** The version of the last change. */
  get version(): number {
    return this.#version;
  }

  /** The version of the last change of one kind. */
  versionOf(row: KindRow): number {
    return this.#versions.get(resourceOf(row)) ?? FIRST_VERSION;
  }

  /** Watches from before this version cannot be served. */
  get oldest(): number {
    return this.#oldest;
  }

  /** Forgets all changes so far, as a compaction does. A bare write follows in any real server. */
  compact(): void {
    this.#version += 1;
    this.#oldest = this.#version;
    this.#history = [];
  }

  /** Objects of a kind by key, in the order of their keys; `namespace` "" is all of them. */
  list(row: KindRow, namespace: string): Entry[] {
    const entries = [...this.#shelf(row).values()];
    const inside = namespace === "" ? entries : entries.filter((e) => within(e, namespace));
    return inside.sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  /** The list as it was at a version; null when that is forgotten. */
  listAt(row: KindRow, namespace: string, version: number): Entry[] | null {
    const changes = this.since(version);
    if (changes === null) return null;
    const then = new Map(this.list(row, namespace).map((entry) => [entry.key, entry]));
    for (const { row: other, entry, before } of changes.toReversed()) {
      if (other !== row || (namespace !== "" && !within(entry, namespace))) continue;
      if (before === null) then.delete(entry.key);
      else then.set(entry.key, before);
    }
    return [...then.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  /** One object, or undefined. */
  get(row: KindRow, namespace: string, name: string): Entry | undefined {
    return this.#shelf(row).get(keyOf(namespace, name));
  }

  /** Writes an object whole: its version grows even when nothing changed. */
  put(row: KindRow, given: Given): Entry {
    const namespace = row.namespaced ? String(given.metadata["namespace"] ?? "default") : "";
    const shelf = this.#shelf(row);
    const key = keyOf(namespace, given.metadata.name);
    const before = shelf.get(key) ?? null;
    const entry = this.#entry(row, given, { key, namespace, before });
    shelf.set(key, entry);
    this.#note({ type: before === null ? "ADDED" : "MODIFIED", row, entry, before });
    return entry;
  }

  /** Takes an object out. The version of its end is that of the answer, or 0: not there. */
  remove(row: KindRow, namespace: string, name: string): number {
    const shelf = this.#shelf(row);
    const before = shelf.get(keyOf(namespace, name));
    if (before === undefined) return 0;
    shelf.delete(before.key);
    const version = ++this.#version;
    const metadata = { ...before.object.metadata, resourceVersion: String(version) };
    const entry = entryOf(before.key, { ...before.object, metadata }, version);
    this.#note({ type: "DELETED", row, entry, before });
    return version;
  }

  /** Changes after a version; null when some of them are forgotten. */
  since(version: number): readonly Change[] | null {
    if (version < this.#oldest) return null;
    return this.#history.filter(({ entry }) => entry.version > version);
  }

  #entry(
    row: KindRow,
    given: Given,
    at: Readonly<{ key: string; namespace: string; before: Entry | null }>,
  ): Entry {
    const version = ++this.#version;
    const old = at.before?.object;
    const second = Math.floor(this.#now() / MS_A_SECOND) * MS_A_SECOND;
    const time = new Date(second).toISOString().replace(".000Z", "Z");
    const { name, ...meta } = given.metadata as Metadata;
    const changed = old === undefined || !Bun.deepEquals(old["spec"], given["spec"]);
    const metadata: Metadata = {
      name,
      ...(at.namespace === "" ? {} : { namespace: at.namespace }),
      uid: old?.metadata.uid ?? crypto.randomUUID(),
      creationTimestamp: old?.metadata.creationTimestamp ?? time,
      ...meta,
      resourceVersion: String(version),
      ...(given["spec"] === undefined
        ? {}
        : { generation: (old?.metadata.generation ?? 0) + (changed ? 1 : 0) }),
      managedFields: [managed(row, time)],
    };
    const object = { ...given, apiVersion: apiVersionOf(row), kind: row.kind, metadata };
    return entryOf(at.key, object, version);
  }

  #note(change: Change): void {
    this.#history.push(change);
    this.#versions.set(resourceOf(change.row), change.entry.version);
    if (this.#history.length > this.#window * 2) {
      const dropped = this.#history.splice(0, this.#history.length - this.#window);
      this.#oldest = dropped.at(-1)!.entry.version;
    }
    this.#tell(change);
  }

  #shelf(row: KindRow): Map<string, Entry> {
    const name = resourceOf(row);
    const known = this.#shelves.get(name);
    if (known !== undefined) return known;
    const shelf = new Map<string, Entry>();
    this.#shelves.set(name, shelf);
    return shelf;
  }
}

/** The whole object as JSON: what a GET answers and a watch tells. */
export function jsonOf({ object: { kind, apiVersion }, rest }: Entry): string {
  return `{"kind":${JSON.stringify(kind)},"apiVersion":${JSON.stringify(apiVersion)},${rest}`;
}

/** As an item of a list, which names kind and version only once. */
export function itemOf({ rest }: Entry): string {
  return `{${rest}`;
}

function keyOf(namespace: string, name: string): string {
  return `${namespace}/${name}`;
}

function within({ key }: Entry, namespace: string): boolean {
  return key.startsWith(`${namespace}/`);
}

/** What servers add to everything, and nobody wants. */
function managed(row: KindRow, time: string): unknown {
  const fieldsV1 = { "f:metadata": { "f:labels": { ".": {} } }, "f:spec": { "f:rules": {} } };
  const by = { manager: "test", operation: "Update", apiVersion: apiVersionOf(row) };
  return { ...by, time, fieldsType: "FieldsV1", fieldsV1 };
}

function entryOf(key: string, object: ApiObject, version: number): Entry {
  const { kind: _, apiVersion: __, ...rest } = object;
  return { key, object, version, rest: JSON.stringify(rest).slice(1) };
}
