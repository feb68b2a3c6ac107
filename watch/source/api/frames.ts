/** The lines of a watch: one JSON object each, `{ type, object }` (KEP-2885, KEP-956, KEP-3157). */
import { isFields } from "../../objects.ts";
import { readPatience } from "./codes.ts";

/** Marks the bookmark after which a streamed list is whole (KEP-3157). */
const INITIAL_END = "k8s.io/initial-events-end";
const ENDED = "the watch ended with an error";
/** Of a failure's text only this much is shown to people, characters. */
const REASON_MAX = 400;

/**
 * What a line says. `version` is a place to watch from, "" where the object has none; `whole` is
 * the end of a streamed list; `code` is that of an HTTP answer.
 */
export type Frame =
  | Readonly<{ type: "put" | "gone"; raw: unknown; version: string }>
  | Readonly<{ type: "mark"; version: string; whole: boolean }>
  | Readonly<{ type: "error"; code: number; reason: string; retryAfterMs: number | null }>;

/**
 * The frame of a line of a watch of `kind`, or null when it is none: then nothing after it can be
 * trusted either.
 */
export function readFrame(line: string, kind: string): Frame | null {
  const frame = parse(line);
  if (!isFields(frame)) return null;
  const raw = frame["object"];
  switch (frame["type"]) {
    case "ADDED":
    case "MODIFIED":
      return isNamed(raw) && isOf(kind, raw) ? { type: "put", raw, version: versionOf(raw) } : null;
    case "DELETED":
      return isNamed(raw) && isOf(kind, raw)
        ? { type: "gone", raw, version: versionOf(raw) }
        : null;
    case "BOOKMARK":
      if (!isOf(kind, raw)) return null;
      return { type: "mark", version: versionOf(raw), whole: isWhole(raw) };
    case "ERROR":
      return readError(raw);
    default:
      return null;
  }
}

/** The version of an object or of a list, "" when it has none. */
export function versionOf(raw: unknown): string {
  const version = metadataOf(raw)["resourceVersion"];
  return typeof version === "string" ? version : "";
}

/** The uid of an object, "" when it has none. */
export function uidOf(raw: unknown): string {
  const { uid } = metadataOf(raw);
  return typeof uid === "string" ? uid : "";
}

/**
 * Whether it can be told which object this is. A list with one that cannot is not whole: what it
 * seems to lack may be there.
 */
export function isNamed(raw: unknown): boolean {
  const { name, namespace } = metadataOf(raw);
  const placed = namespace === undefined || (typeof namespace === "string" && namespace !== "");
  return typeof name === "string" && name !== "" && placed;
}

/** Every object of a watch says what it is. */
function isOf(kind: string, raw: unknown): boolean {
  return isFields(raw) && (raw["kind"] ?? kind) === kind;
}

function isWhole(raw: unknown): boolean {
  const annotations = metadataOf(raw)["annotations"];
  return isFields(annotations) && annotations[INITIAL_END] === "true";
}

function metadataOf(raw: unknown): Readonly<Record<string, unknown>> {
  return isFields(raw) && isFields(raw["metadata"]) ? raw["metadata"] : {};
}

/** A `Status` (meta/v1). One without a code is a failure all the same. */
function readError(raw: unknown): Frame {
  const status = isFields(raw) ? raw : {};
  const { code, message, details } = status;
  const seconds = isFields(details) ? details["retryAfterSeconds"] : undefined;
  return {
    type: "error",
    code: typeof code === "number" ? code : 0,
    reason: typeof message === "string" ? message.slice(0, REASON_MAX) : ENDED,
    retryAfterMs: typeof seconds === "number" && seconds > 0 ? readPatience(seconds) : null,
  };
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line) as unknown;
  } catch {
    return null;
  }
}
