/** The path of a rule: checked as the API server checks it, and made canonical. */
import { canonicalise } from "../../core/route/path.ts";
import { quote } from "./read.ts";

/** Longest request target that rind reads, bytes: a longer rule path can never match. */
const PATH_MAX = 8_192;

/** What the API server refuses inside an Exact or Prefix path (networking validation). */
const REFUSED = ["//", "/./", "/../", "%2f", "%2F"];
const REFUSED_ENDS = ["/..", "/."];

/** Characters that are legal in a path, and far likelier meant as a regular expression. */
const PATTERN = /[*^|()[\]\\]|\.\+|\$$/;

/**
 * A rule path. `value` is canonical, the form requests are matched in; null when there is no such
 * form, and no route can be made. `fault` says why the path is refused ("" = it is not).
 * `notice` says what is surprising about a path that is served.
 */
export type RulePath = Readonly<{
  value: string | null;
  fault: string;
  notice: string;
  hint: string;
}>;

/**
 * Judges a rule path; `undefined` is one that is absent. `strict` is for the types Exact and
 * Prefix, which the API server checks; of the third it only asks that a path starts with /.
 */
export function judgePath(raw: string | undefined, strict: boolean): RulePath {
  if (raw === undefined || raw === "") {
    if (!strict) return { value: "/", fault: "", notice: "", hint: "" };
    return refuse(
      "/",
      raw === undefined ? "is missing" : "is empty",
      'write "/" to take every path',
    );
  }
  if (raw.length > PATH_MAX) return refuse(null, `is longer than ${PATH_MAX} characters`, "");
  if (!raw.startsWith("/")) {
    const repaired = canonicalise(`/${raw}`);
    const hint = repaired === null ? "" : `write ${quote(repaired)}`;
    return refuse(repaired, `${quote(raw)} does not start with /`, hint);
  }
  const value = canonicalise(raw);
  if (value === null) return refuse(null, `${quote(raw)} is no valid path`, spell(raw));
  const refused =
    REFUSED.find((part) => raw.includes(part)) ?? REFUSED_ENDS.find((end) => raw.endsWith(end));
  if (strict && refused !== undefined) {
    const hint = value === raw ? "" : `write ${quote(value)}`;
    return refuse(value, `${quote(raw)} contains ${quote(refused)}`, hint);
  }
  if (value === raw) return { value, fault: "", notice: noticePattern(raw), hint: "" };
  const hint = `write ${quote(value)}`;
  if (value !== unescape(raw)) return refuse(value, `${quote(raw)} has dot segments`, hint);
  // Equivalent by RFC 3986 §6.2.2: the same resource, only spelled otherwise.
  return { value, fault: "", notice: `${quote(raw)} is served as ${quote(value)}`, hint };
}

function refuse(value: string | null, fault: string, hint: string): RulePath {
  return { value, fault, notice: "", hint };
}

function noticePattern(raw: string): string {
  if (!PATTERN.test(raw)) return "";
  return `${quote(raw)} is matched letter by letter: regular expressions are not supported`;
}

/** A path with spaces or letters beyond ASCII is usually meant in its percent-encoded form. */
function spell(raw: string): string {
  const encoded = raw.replace(/[^\x21-\x7e]/gu, (letter) =>
    Buffer.from(letter).reduce((out, byte) => `${out}%${hex(byte)}`, ""),
  );
  return encoded !== raw && canonicalise(encoded) === encoded ? `write ${quote(encoded)}` : "";
}

/** Triplets in upper case, and those of unreserved characters as the character itself. */
function unescape(raw: string): string {
  return raw.replace(/%[0-9a-f]{2}/gi, (triplet) => {
    const letter = String.fromCharCode(Number.parseInt(triplet.slice(1), 16));
    return /[A-Za-z0-9._~-]/.test(letter) ? letter : triplet.toUpperCase();
  });
}

function hex(byte: number): string {
  return byte.toString(16).toUpperCase().padStart(2, "0");
}
