/** One request to the API server for tests, as authorization, counters and faults see it. */
import { type Message, valuesOf } from "../message.ts";
import { type KindRow, placeOf } from "./kinds.ts";
import { pinnedName } from "./select.ts";

/** `place` is null when the path names no kind: then `resource` is the path. */
export type Call = Readonly<{
  /** get, list, watch, create, update, patch or delete. */
  verb: string;
  row: KindRow | null;
  resource: string;
  namespace: string;
  /** From the path, or pinned by a field selector. */
  name: string;
  subresource: string;
  path: string;
  query: URLSearchParams;
  contentType: string;
  /** The bearer token, or "". */
  token: string;
  body: Buffer;
}>;

const VERBS: Readonly<Record<string, string>> = {
  POST: "create",
  PUT: "update",
  PATCH: "patch",
  DELETE: "delete",
};

/** Reads a request. */
export function callOf({ first, fields, body }: Message, kinds: readonly KindRow[]): Call {
  const [method = "", target = ""] = first.split(" ");
  const url = new URL(target, "http://api");
  const query = url.searchParams;
  const place = placeOf(url.pathname, kinds);
  const collection = place !== null && place.name === "";
  const watching = ["1", "true"].includes(query.get("watch") ?? "");
  const reading = collection ? (watching ? "watch" : "list") : "get";
  const authorization = valuesOf(fields, "authorization")[0] ?? "";
  return {
    verb: VERBS[method] ?? reading,
    row: place?.row ?? null,
    resource: place?.row.plural ?? url.pathname,
    namespace: place?.namespace ?? "",
    name: collection ? pinnedName(query.get("fieldSelector") ?? "") : (place?.name ?? ""),
    subresource: place?.subresource ?? "",
    path: url.pathname,
    query,
    contentType: (valuesOf(fields, "content-type")[0] ?? "").split(";")[0]!.trim(),
    token: /^Bearer (.+)$/.exec(authorization)?.[1] ?? "",
    body,
  };
}
