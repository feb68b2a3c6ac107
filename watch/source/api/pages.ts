/** The answers to a list. A thing that is no list is a failure, never an empty list. */
import { isFields } from "../../objects.ts";
import type { ApiAnswer, ApiFailure } from "./api.ts";
import { isNamed, versionOf } from "./frames.ts";

/** One page; `token` asks for the next one, "" after the last. */
export type Page = Readonly<{
  ok: true;
  items: readonly unknown[];
  version: string;
  token: string;
}>;

/** The page in an answer. `items` may be null: so does Go write a list without items. */
export function readPage(answer: ApiAnswer): Page | ApiFailure {
  if (!answer.ok) return answer;
  const { body } = answer;
  const version = versionOf(body);
  if (!isFields(body) || version === "") return unreadable("the answer to a list is no list");
  const items = body["items"] ?? [];
  const kind = body["kind"];
  if (!Array.isArray(items) || typeof kind !== "string" || !kind.endsWith("List")) {
    return unreadable("the answer to a list is no list");
  }
  if (!items.every(isNamed)) return unreadable("a list holds an object without a name");
  const metadata = isFields(body["metadata"]) ? body["metadata"] : {};
  const token = metadata["continue"] ?? "";
  if (typeof token !== "string") return unreadable("the answer to a list is no list");
  return { ok: true, items, version, token };
}

/** A failure of an answer that came and cannot be used. */
export function unreadable(reason: string): ApiFailure {
  return { ok: false, status: 0, reason, retryAfterMs: null, body: null };
}
