/**
 * What one feed has told, object by object. It turns what the API server writes into events for the
 * store, and keeps an object as it was when its next version cannot be read.
 */
import type { Finding } from "../../finding.ts";
import { isFields, type KubeObject, ownObject } from "../../objects.ts";
import type { Resource } from "../../resources.ts";
import type { StoreEvent } from "../../store.ts";
import { uidOf, versionOf } from "./frames.ts";
import type { Replica } from "./replica.ts";
import { shapeOf } from "./shape.ts";
import { type IngressStatus, readStatus } from "./status.ts";

/** An object that was told, or null: none of its versions could be read. */
type Entry = Readonly<{
  version: string;
  uid: string;
  object: KubeObject | null;
  findings: readonly Finding[];
  /** Of an Ingress. */
  status: IngressStatus | null;
}>;

type Fields = Readonly<Record<string, unknown>>;
type Wrong = Pick<Finding, "field" | "reason">;
type Shaped =
  | Readonly<{ object: KubeObject; findings: readonly Finding[] }>
  | Readonly<{ object: null; wrong: Wrong }>;

/** Who hears of the objects of one feed. */
export type Keeping = Readonly<{
  tell: (event: StoreEvent) => void;
  /** The findings are others. */
  found: () => void;
  /** The status of an Ingress, which no object has; null when the Ingress is gone. */
  saw: (key: string, status: IngressStatus | null) => void;
  moved: () => void;
}>;

/** The objects of one feed, which is of one kind. */
export class Keeper implements Replica {
  readonly #resource: Resource;
  readonly #keeping: Keeping;
  /** The key of the Secret that is the only object there may be; "" where there may be others. */
  readonly #only: string;
  readonly #entries = new Map<string, Entry>();
  /** What a list that has begun held so far. */
  #listed: Map<string, Entry> | null = null;
  readonly #findings = new Map<string, readonly Finding[]>();

  constructor(resource: Resource, keeping: Keeping, only = "") {
    this.#only = only;
    this.#resource = resource;
    this.#keeping = keeping;
  }

  begin(): void {
    this.#listed = new Map();
  }

  put(raw: unknown): void {
    const key = this.#keyOf(raw);
    if (key === null || !isFields(raw)) return;
    if (this.#listed !== null) this.#listed.set(key, this.#read(key, raw));
    else this.#set(key, this.#read(key, raw));
  }

  gone(raw: unknown): void {
    const key = this.#keyOf(raw);
    if (key === null) return;
    if (this.#listed !== null) this.#listed.delete(key);
    else {
      this.#forget(key);
      this.#miss();
    }
  }

  /** Puts come before what is gone: what took over from another object is there when it goes. */
  end(): void {
    const listed = this.#listed;
    if (listed === null) return;
    this.#listed = null;
    for (const [key, entry] of listed) this.#set(key, entry);
    for (const key of this.#entries.keys()) if (!listed.has(key)) this.#forget(key);
    this.#miss();
  }

  moved(): void {
    this.#keeping.moved();
  }

  /** The feed is not followed any more: all of it is gone. */
  clear(): void {
    for (const key of this.#entries.keys()) this.#forget(key);
    if (this.#only !== "") this.#tellAbsent(false);
  }

  /** Whether it has this object, or any, in a version that could be read. */
  holds(key = ""): boolean {
    if (key !== "") return (this.#entries.get(key)?.object ?? null) !== null;
    for (const { object } of this.#entries.values()) if (object !== null) return true;
    return false;
  }

  findings(): readonly Finding[] {
    return [...this.#findings.values()].flat();
  }

  /** Without a name there is nothing to hold it by, and nothing to say it about. */
  #keyOf(raw: unknown): string | null {
    const metadata = isFields(raw) ? raw["metadata"] : null;
    if (!isFields(metadata)) return null;
    const { name, namespace } = metadata;
    if (typeof name !== "string" || name === "") return null;
    if (!this.#resource.namespaced) return name;
    return typeof namespace === "string" && namespace !== "" ? `${namespace}/${name}` : null;
  }

  /** The version that counts from now on: the one before it, when this one cannot be read. */
  #read(key: string, raw: Fields): Entry {
    const last = this.#entries.get(key);
    const version = versionOf(raw);
    const uid = uidOf(raw);
    // After a break the whole list is told again, and next to nothing in it has changed.
    if (last !== undefined && version !== "" && last.version === version && last.uid === uid) {
      return last;
    }
    const status = this.#resource.kind === "Ingress" ? readStatus(raw) : null;
    const read = this.#shape(raw);
    if (read.object !== null) {
      return { version, uid, object: read.object, findings: read.findings, status };
    }
    const object = last?.object ?? null;
    const findings = [this.#finding(key, read.wrong, object !== null)];
    return { version, uid, object, findings, status };
  }

  /** Whatever an object brings to light costs that object, and not the feed: a bug does as well. */
  #shape(raw: Fields): Shaped {
    try {
      const body = shapeOf(this.#resource.kind, raw);
      if (!body.ok) return { object: null, wrong: body };
      const { object, findings } = ownObject(raw, this.#resource, body.value);
      if (object !== null) return { object, findings };
      return { object: null, wrong: { field: "metadata.name", reason: "is no name" } };
    } catch (error) {
      // Not its message, which may quote the object: it could be a Secret.
      const name = error instanceof Error ? error.name : typeof error;
      const reason = `this version of rind cannot read it (${name}), please report it`;
      return { object: null, wrong: { field: "", reason } };
    }
  }

  #finding(key: string, wrong: Wrong, stays: boolean): Finding {
    const { kind, namespaced } = this.#resource;
    const slash = namespaced ? key.indexOf("/") : -1;
    return {
      level: "error",
      kind,
      namespace: key.slice(0, Math.max(slash, 0)),
      name: key.slice(slash + 1),
      field: wrong.field,
      reason: wrong.reason,
      hint: "",
      effect: stays ? "the version before stays in use" : `this ${kind} is ignored`,
    };
  }

  #set(key: string, entry: Entry): void {
    const last = this.#entries.get(key);
    if (last === entry) return;
    this.#entries.set(key, entry);
    if (entry.object !== null && entry.object !== last?.object) {
      this.#keeping.tell({ type: "put", object: entry.object });
    }
    this.#note(key, entry.findings);
    if (entry.status !== null) this.#keeping.saw(key, entry.status);
  }

  #forget(key: string): void {
    const object = this.#entries.get(key)?.object ?? null;
    if (!this.#entries.delete(key)) return;
    if (object !== null) this.#keeping.tell({ type: "gone", object });
    this.#note(key, []);
    if (this.#resource.kind === "Ingress") this.#keeping.saw(key, null);
  }

  /** Whoever names the one object learns that it is not there, rather than late. */
  #miss(): void {
    if (this.#only !== "" && !this.#entries.has(this.#only)) this.#tellAbsent(true);
  }

  #tellAbsent(known: boolean): void {
    this.#keeping.tell({ type: "absent", kind: "Secret", key: this.#only, known });
  }

  #note(key: string, findings: readonly Finding[]): void {
    if (findings.length === 0 && !this.#findings.has(key)) return;
    if (findings.length === 0) this.#findings.delete(key);
    else this.#findings.set(key, findings);
    this.#keeping.found();
  }
}
