/**
 * What an annotation is: a row of a dialect. The loop that reads rows (annotations.ts) exists once;
 * a new annotation is a new row, and a new feature is a row and a field of `Asked`.
 */
import type { ClientAuth, TlsVersion } from "../../../core/model.ts";
import type { Parsed } from "../read.ts";
import type { Weights } from "../shares.ts";

/** What a bad value of an annotation that protects the routes means for traffic. */
export const BLOCKED = "every path of this Ingress answers 503";

/** What the annotations of one Ingress ask for. */
export type Asked = {
  /** Shares of the services on each path; null when nobody asked. */
  weights: Weights | null;
  /** Why every path of this Ingress answers 503; "" when it does not. */
  blocked: string;
  /** Nothing of this Ingress may be served, not even a 503: it only exists beside another one. */
  withheld: boolean;
  tls: AskedTls;
  client: AskedClient;
  backend: AskedBackend;
};

/** What is asked of TLS towards clients; null where nobody asked. */
export type AskedTls = {
  /** Requests over plain HTTP are redirected on hosts with TLS. */
  redirect: boolean | null;
  /** They are redirected on all hosts. */
  force: boolean;
  /** Value of Strict-Transport-Security; "" is none. */
  hsts: string | null;
  /** The same in the pieces of Traefik 1.7: it counts when the whole is not there. */
  pieces: { seconds: number | null; subdomains: boolean; preload: boolean };
  /** The hosts have TLS, though no section `tls` says so. */
  secured: boolean;
  /** The backend opens it. */
  passthrough: boolean;
  minVersion: TlsVersion | null;
  ciphers: string;
};

/** What is asked of clients. */
export type AskedClient = {
  /** The annotation and the Secret that it names, "" if that cannot be read; null: none does. */
  authorities: Readonly<{ key: string; secret: string }> | null;
  /** The annotation that asks whether to check, and what it asks; null: none does. */
  verify: Readonly<{ key: string; as: ClientAuth["verify"] | "off" }> | null;
  /** Certificates between the client's and an authority's. */
  depth: number;
  forward: boolean;
};

/** What is asked of the way to the backends; null where nobody asked. */
export type AskedBackend = {
  /** The annotation that names a protocol; "" when none does. */
  key: string;
  /** It is spoken over TLS. */
  https: boolean | null;
  /** Secret with authorities, and with what is shown to the backend. */
  secret: string | null;
  /** The certificate of the backend is checked. */
  verify: boolean | null;
  /** What it must be for. */
  name: string | null;
  /** The backend is told that name. */
  sni: boolean | null;
};

/** Of an Ingress without annotations. The depth is ingress-nginx's. */
export function askedOf(): Asked {
  return {
    weights: null,
    blocked: "",
    withheld: false,
    tls: {
      redirect: null,
      force: false,
      hsts: null,
      pieces: { seconds: null, subdomains: false, preload: false },
      secured: false,
      passthrough: false,
      minVersion: null,
      ciphers: "",
    },
    client: { authorities: null, verify: null, depth: 1, forward: false },
    backend: { key: "", https: null, secret: null, verify: null, name: null, sni: null },
  };
}

/**
 * An annotation and what rind does with it. `applied`: `read` sets what it asks for, or returns why
 * the value is bad, and `bad` says what that means for traffic; if it `locks`, the route then fails
 * closed, and an empty value asks for nothing. `pending`: known, not applied yet. `guard`: it
 * protects the route, so the route fails closed until rind can do it. `withheld`: the Ingress is
 * not served at all. A value that is listed in `harmless`, or that `open` takes, asks for nothing.
 */
export type Row =
  | Readonly<{
      kind: "applied";
      doc: string;
      bad: string;
      locks: boolean;
      read: (raw: string, asked: Asked, key: string) => string;
    }>
  | Readonly<{
      kind: "pending" | "guard" | "withheld";
      doc: string;
      harmless: readonly string[];
      open: (value: string) => boolean;
    }>;

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
  return { kind: "applied", doc, bad, locks: false, read };
}

/** A row for an annotation that is applied, and ignored when its value is bad. */
export function wish<T>(
  doc: string,
  parse: (raw: string) => Parsed<T>,
  set: (asked: Asked, value: T) => void,
): Row {
  const heed = (asked: Asked, value: T | null): void => {
    if (value !== null) set(asked, value);
  };
  return annotation(doc, parse, heed, "ignored");
}

/**
 * A row for one that protects the routes and is applied: a bad value closes them, and `spoil` notes
 * what was asked for beyond that.
 */
export function lock<T>(
  doc: string,
  parse: (raw: string) => Parsed<T>,
  set: (asked: Asked, value: T, key: string) => void,
  spoil: (asked: Asked, key: string) => void = () => {},
): Row {
  const read = (raw: string, asked: Asked, key: string): string => {
    const parsed = parse(raw);
    if (parsed.ok) set(asked, parsed.value, key);
    else spoil(asked, key);
    return parsed.ok ? "" : parsed.reason;
  };
  return { kind: "applied", doc, bad: BLOCKED, locks: true, read };
}

/** A row for an annotation that is known and not applied yet: served as if it were not set. */
export function pending(doc: string, ...harmless: string[]): Row {
  return { kind: "pending", doc, harmless, open: never };
}

/** A row for an annotation that protects a route and is not supported yet. */
export function guard(doc: string, ...harmless: string[]): Row {
  return { kind: "guard", doc, harmless, open: never };
}

/** The same for one whose value may let everybody in, and so protects nothing. */
export function gate(doc: string, open: (value: string) => boolean): Row {
  return { kind: "guard", doc, harmless: [], open };
}

/** A row for an annotation without which the Ingress must not be served at all. */
export function withheld(doc: string, ...harmless: string[]): Row {
  return { kind: "withheld", doc, harmless, open: never };
}

function never(): boolean {
  return false;
}
