/** Lists in pages, each as consistent as a real server's. */
import { type Answer } from "./connection.ts";
import { apiVersionOf, type KindRow } from "./kinds.ts";
import { type Entry, itemOf, type Objects } from "./objects.ts";
import { selectorOf } from "./select.ts";
import { failure, type Status, tokenExpired, tooLarge } from "./status.ts";
import type { Call } from "./call.ts";

/** What is left of a list. `next` says where a new token goes on when this one is too old. */
type Rest = Readonly<{ entries: readonly Entry[]; version: number; next: string }>;
type Page = Rest & Readonly<{ left: number; token: string }>;

/** Tokens that nobody came back for are dropped from the oldest on. */
const TOKENS_MAX = 1_000;

/** Answers lists, and keeps what their continue tokens mean. */
export class Lists {
  readonly #objects: Objects;
  readonly #rests = new Map<string, Rest | null>();
  #tokens = 0;

  constructor(objects: Objects) {
    this.#objects = objects;
  }

  /** All tokens so far become too old. */
  expire(): void {
    for (const token of this.#rests.keys()) this.#rests.set(token, null);
  }

  /** A page. `change` may tell other objects than there are. */
  page(row: KindRow, call: Call, change: (entry: Entry) => string = itemOf): Answer | Status {
    const { query } = call;
    const token = query.get("continue") ?? "";
    const rest = token === "" ? this.#fresh(row, call) : this.#rest(row, call, token);
    if ("code" in rest) return rest;
    // The watch cache, which answers "0", knows no pages.
    const cached = query.get("resourceVersion") === "0" && token === "";
    const limit = cached ? 0 : Number(query.get("limit") ?? 0);
    const { entries, version, left, token: following } = this.#cut(rest, limit);
    const metadata = {
      resourceVersion: String(version),
      ...(following === "" ? {} : { continue: following }),
      ...(left > 0 && !hasSelector(query) ? { remainingItemCount: left } : {}),
    };
    const kind = JSON.stringify(`${row.kind}List`);
    const head = `"kind":${kind},"apiVersion":${JSON.stringify(apiVersionOf(row))}`;
    const items = entries.map(change).join(",");
    const body = `{${head},"metadata":${JSON.stringify(metadata)},"items":[${items}]}`;
    return { status: 200, body };
  }

  /** `resourceVersionMatch` as the API concepts have it. */
  #fresh(row: KindRow, { namespace, query }: Call): Rest | Status {
    const selects = selectorOf(query.get("labelSelector") ?? "", query.get("fieldSelector") ?? "");
    if (typeof selects === "string") return failure(400, selects);
    const asked = query.get("resourceVersion") ?? "";
    if (!/^\d*$/.test(asked)) return failure(400, `resourceVersion: Invalid value: "${asked}"`);
    const match = query.get("resourceVersionMatch") ?? "";
    if (match !== "" && (asked === "" || (match === "Exact" && asked === "0"))) {
      return failure(422, `ListOptions "" is invalid: resourceVersionMatch: Forbidden: ${match}`);
    }
    const { version } = this.#objects;
    if (Number(asked) > version) return tooLarge(Number(asked), version);
    // Pages from a version, and no word about how to match it: exactly that version is meant.
    const limited = query.has("limit") && !["", "0"].includes(asked);
    const exact = match === "Exact" || (match === "" && limited);
    const all = exact
      ? this.#objects.listAt(row, namespace, Number(asked))
      : this.#objects.list(row, namespace);
    if (all === null) return failure(410, "The provided resource version is too old.");
    const entries = all.filter(({ object }) => selects(object));
    return { entries, version: exact ? Number(asked) : version, next: "" };
  }

  #rest(row: KindRow, call: Call, token: string): Rest | Status {
    const rest = this.#rests.get(token);
    if (rest === null) {
      // What comes after the last key that was told, as it is now.
      const from = token.slice(token.indexOf(".") + 1);
      const now = new URLSearchParams(call.query);
      for (const name of ["resourceVersion", "resourceVersionMatch"]) now.delete(name);
      const fresh = this.#fresh(row, { ...call, query: now });
      if ("code" in fresh) return fresh;
      const entries = fresh.entries.filter(({ key }) => key > from);
      return tokenExpired(this.#keep({ ...fresh, entries, next: from }));
    }
    return rest ?? failure(400, "continue key is not valid");
  }

  #cut(rest: Rest, limit: number): Page {
    if (limit === 0 || rest.entries.length <= limit) return { ...rest, left: 0, token: "" };
    const entries = rest.entries.slice(0, limit);
    const following = rest.entries.slice(limit);
    const next = entries.at(-1)!.key;
    const token = this.#keep({ ...rest, entries: following, next });
    return { ...rest, entries, left: following.length, token };
  }

  #keep(rest: Rest): string {
    const token = `${++this.#tokens}.${rest.next}`;
    this.#rests.set(token, rest);
    if (this.#rests.size > TOKENS_MAX) this.#rests.delete([...this.#rests.keys()][0]!);
    return token;
  }
}

function hasSelector(query: URLSearchParams): boolean {
  return query.has("labelSelector") || query.has("fieldSelector");
}
