/**
 * Source text with everything that is not code blanked out, so that rules can search it with plain
 * patterns. Offsets and line breaks stay where they are.
 *
 *     const a = "x // y"; // z      →      const a = "      ";
 */

/** Stands where a regular expression literal began. */
export const REGEX_MARK = "\u0001";

const COMMENT = /\/\/[^\n]*|\/\*[^]*?\*\//y;
const STRING = /"(?:\\[^]|[^"\\\n])*"|'(?:\\[^]|[^'\\\n])*'/y;
const REGEX = /\/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+\/[a-z]*/y;
/** Of a template, the text up to its end or its next hole. */
const TEMPLATE = /(?:\\[^]|\$(?!\{)|[^`\\$])*(?:`|\$\{)/y;
/** After these a slash begins a regular expression; after anything else it divides. */
const BEFORE_REGEX = /(?:^|[-(,=:[!&|?{};+*%<>~^]|\b(?:return|typeof|case|of|in|else|void|await))$/;

/** Blanks comments, and what strings, templates and regular expressions contain. */
export function scrub(source: string): string {
  const pieces: string[] = [];
  /** The depth of braces at which each open template hole ends. */
  const holes: number[] = [];
  let depth = 0;
  let last = "";
  for (let at = 0; at < source.length;) {
    const char = source[at]!;
    let piece = blankAt(source, at, last);
    if (char === "{") depth++;
    if (char === "}") depth--;
    if (char === "`" || (char === "}" && holes.at(-1) === depth)) {
      if (char === "}") holes.pop();
      const text = taken(TEMPLATE, source, at + 1);
      const end = text.endsWith("{") ? 2 : 1;
      piece = char + blank(text.slice(0, -end)) + text.slice(-end);
      if (end === 2) holes.push(depth++);
    }
    pieces.push(piece);
    at += piece.length;
    if (piece.trim() !== "") last = (last + piece).slice(-12).trimEnd();
  }
  return pieces.join("");
}

/** The blanked comment, string or regular expression at `at`, or the one character there. */
function blankAt(source: string, at: number, last: string): string {
  const char = source[at]!;
  if (char === "/") {
    const comment = taken(COMMENT, source, at);
    if (comment !== "") return blank(comment);
    const regex = BEFORE_REGEX.test(last) ? taken(REGEX, source, at) : "";
    if (regex !== "") return REGEX_MARK + blank(regex.slice(1));
  }
  const string = char === '"' || char === "'" ? taken(STRING, source, at) : "";
  return string === "" ? char : char + blank(string.slice(1, -1)) + char;
}

function taken(pattern: RegExp, source: string, at: number): string {
  pattern.lastIndex = at;
  return pattern.exec(source)?.[0] ?? "";
}

function blank(text: string): string {
  return text.replace(/[^\n]/g, " ");
}
