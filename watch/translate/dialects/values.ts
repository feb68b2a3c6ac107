/** What the values of annotations are: each parser takes a user's text, and says why it is bad. */
import { createSecureContext } from "node:tls";

import { parseCidr } from "../../../core/cidr.ts";
import { isName } from "../../objects.ts";
import { type Parsed, quote } from "../read.ts";

/** Longest list of ciphers, characters. */
const CIPHERS_MAX = 1_000;
/** Longest list of address ranges that is read, characters: a longer one means some of them. */
const RANGES_MAX = 1_000;
/** Names of ciphers, and groups of them, as OpenSSL's cipher lists have them. */
const CIPHERS = /^[A-Za-z0-9+!@=:_-]+$/;
/** Ten digits of seconds are more than three hundred years. */
const SECONDS = /^\d{1,10}$/;
/** As Go's strconv.ParseBool reads them, which is what other controllers use. */
const TRUE = ["1", "t", "T", "TRUE", "true", "True"];
const FALSE = ["0", "f", "F", "FALSE", "false", "False"];

const DIRECTIVES = "max-age, includeSubDomains and preload";

/** `true` or `false`, in the spellings that Go takes. */
export function parseFlag(raw: string): Parsed<boolean> {
  const word = raw.trim();
  if (TRUE.includes(word)) return { ok: true, value: true };
  return FALSE.includes(word) ? { ok: true, value: false } : expected("true or false", word);
}

/** A parser of one of a few words, each with what it stands for. */
export function wordOf<T>(words: ReadonlyMap<string, T>): (raw: string) => Parsed<T> {
  return (raw) => {
    const word = raw.trim();
    const value = words.get(word);
    if (value !== undefined) return { ok: true, value };
    return expected(`one of ${[...words.keys()].join(", ")}`, word);
  };
}

/** A parser of whole numbers from 0 to `most`. */
export function numberTo(most: number): (raw: string) => Parsed<number> {
  return (raw) => {
    const text = raw.trim();
    const value = SECONDS.test(text) ? Number(text) : most + 1;
    if (value <= most) return { ok: true, value };
    return expected(`a whole number from 0 to ${most}`, text);
  };
}

/** Seconds, as many as HSTS can carry. */
export function parseSeconds(raw: string): Parsed<number> {
  const text = raw.trim();
  if (SECONDS.test(text)) return { ok: true, value: Number(text) };
  return expected("a number of seconds", text);
}

/** `name` or `namespace/name` of a Secret. What is none is not quoted: it could be a password. */
export function parseSecret(raw: string): Parsed<string> {
  const parts = raw.trim().split("/");
  if (parts.length <= 2 && parts.every(isName)) return { ok: true, value: parts.join("/") };
  return refuse("is not the name of a Secret");
}

/** Whether a list of address ranges has every address there is, of IPv4 and of IPv6. */
export function letsAllIn(list: string): boolean {
  if (list.length > RANGES_MAX) return false;
  const ranges = list.split(",").map((text) => parseCidr(text));
  const whole = ranges.flatMap((range) => {
    return range.ok && range.value.bits === 0 ? [range.value.groups.length] : [];
  });
  return ranges.every((range) => range.ok) && new Set(whole).size === 2;
}

/**
 * A list of ciphers for TLS 1.2 that leaves at least one. The library is asked, since it alone
 * knows the names; of a list it leaves out those that it does not know.
 */
export function parseCiphers(raw: string): Parsed<string> {
  const list = raw.trim();
  if (list.length > CIPHERS_MAX) return refuse(`is longer than ${CIPHERS_MAX} characters`);
  if (!CIPHERS.test(list)) return expected("names of ciphers with colons between", list);
  try {
    createSecureContext({ ciphers: list });
    return { ok: true, value: list };
  } catch {
    return refuse(`${quote(list)} names no cipher that is known here`);
  }
}

/** The value of Strict-Transport-Security (RFC 6797 §6.1) in its usual spelling; `off` is "". */
export function parseHsts(raw: string): Parsed<string> {
  if (raw.trim().toLowerCase() === "off") return { ok: true, value: "" };
  const given = new Map<string, string>();
  for (const part of raw.split(";")) {
    const [name = "", value = "", ...more] = part.split("=").map((text) => text.trim());
    if (name === "" && value === "") continue;
    const key = name.toLowerCase();
    const plain = key === "includesubdomains" || key === "preload";
    if (key !== "max-age" && !plain) return expected(DIRECTIVES, name);
    if (given.has(key)) return refuse(`has ${name} twice`);
    if (more.length > 0 || (plain && part.includes("="))) return refuse(`${name} has no value`);
    given.set(key, value.replace(/^"(.*)"$/, "$1"));
  }
  const age = given.get("max-age");
  if (age === undefined) return refuse("has no max-age, which is how many seconds it holds");
  if (!SECONDS.test(age)) return expected("max-age to be a number of seconds", age);
  const [subdomains, preload] = [given.has("includesubdomains"), given.has("preload")];
  return { ok: true, value: formatHsts(Number(age), subdomains, preload) };
}

/** The header's value. */
export function formatHsts(seconds: number, subdomains: boolean, preload: boolean): string {
  const directives = [`max-age=${seconds}`];
  if (subdomains) directives.push("includeSubDomains");
  if (preload) directives.push("preload");
  return directives.join("; ");
}

function expected(what: string, found: string): Parsed<never> {
  return refuse(`expected ${what}, found ${quote(found)}`);
}

function refuse(reason: string): Parsed<never> {
  return { ok: false, reason };
}
