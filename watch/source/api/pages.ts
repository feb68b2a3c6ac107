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

/**
 * The page of a list of `kind` in an answer. `items` may be null: so does Go write a list without
 * items.
 */
export function readPage(answer: ApiAnswer, kind: string): Page | ApiFailure {
  if (!answer.ok) return answer;
  const { body } = answer;
  const version = versionOf(body);
  if (!isFields(body) || version === "") return unreadable("the answer to a list is no list");
  const items = body["items"] ?? [];
  // Of a list of something else, each object would read like one that lacks nearly everything.
  if (!Array.isArray(items) || body["kind"] !== `${kind}List`) {
    return unreadable(`the answer to a list is no ${kind}List`);
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
