/**
 * What an annotation is: a row of a dialect. The loop that reads rows (annotations.ts) exists once;
 * a new annotation is a new row, and a new feature is a row and a field of `Asked`.
 */
import type { Parsed } from "../read.ts";
import type { Weights } from "../shares.ts";

/** What the annotations of one Ingress ask for. */
export type Asked = {
  /** Shares of the services on each path; null when nobody asked. */
  weights: Weights | null;
  /** Why every path of this Ingress answers 503; "" when it does not. */
  blocked: string;
  /** Nothing of this Ingress may be served, not even a 503: it only exists beside another one. */
  withheld: boolean;
};

/**
 * An annotation and what rind does with it. `applied`: `read` sets what it asks for, or returns why
 * the value is bad, and `bad` says what that means for traffic. `pending`: known, not applied yet.
 * `guard`: it protects the route, so the route fails closed until rind can do it. `withheld`: the
 * Ingress is not served at all. A value listed in `harmless` asks for nothing.
 */
export type Row =
  | Readonly<{
      kind: "applied";
      doc: string;
      bad: string;
      read: (raw: string, asked: Asked) => string;
    }>
  | Readonly<{ kind: "pending" | "guard" | "withheld"; doc: string; harmless: readonly string[] }>;

/**
 * A set of annotations with one meaning. Later prefixes win over earlier ones. `alike` are starts
 * of names that guard a route even when there is no row for them.
 */
export type Dialect = Readonly<{
  prefixes: readonly string[];
  rows: ReadonlyMap<string, Row>;
  alike: readonly string[];
}>;

/** A row for an annotation that is applied. `doc` is one sentence, for the reference page. */
export function annotation<T>(
  doc: string,
  parse: (raw: string) => Parsed<T>,
  set: (asked: Asked, value: T | null) => void,
  bad: string,
): Row {
  const read = (raw: string, asked: Asked): string => {
    const parsed = parse(raw);
    set(asked, parsed.ok ? parsed.value : null);
    return parsed.ok ? "" : parsed.reason;
  };
  return { kind: "applied", doc, bad, read };
}

/** A row for an annotation that is known and not applied yet: served as if it were not set. */
export function pending(doc: string, ...harmless: string[]): Row {
  return { kind: "pending", doc, harmless };
}

/** A row for an annotation that protects a route and is not supported yet. */
export function guard(doc: string, ...harmless: string[]): Row {
  return { kind: "guard", doc, harmless };
}

/** A row for an annotation without which the Ingress must not be served at all. */
export function withheld(doc: string, ...harmless: string[]): Row {
  return { kind: "withheld", doc, harmless };
}
