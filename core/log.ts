/** Operational log: one line an event on stderr, for people and for `grep`. Not the access log. */
import { writeSync } from "node:fs";

/** Longest line, in UTF-16 units without its newline; a longer one is cut and ends in `…`. */
const LINE_MAX = 2_000;
const STDERR = 2;
/**
 * C0, DEL and C1 controls, the two Unicode line ends, and what turns the direction of writing: what
 * could forge a line, a colour, or how a line reads.
 */
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;
/** A value that can stand without quotes. */
const PLAIN = /^[^\s"=\\]+$/;

export type Level = "info" | "warn" | "error";
export type Fields = Readonly<Record<string, string | number | boolean | null>>;

let lostCount = 0;

/**
 * Writes `2026-11-25T09:30:00.000Z info  message key=value …` to stderr. Never throws: a line that
 * stderr does not take at once is lost, because serving matters more than the log.
 */
export function log(level: Level, message: string, fields: Fields = {}): void {
  const told = lostCount === 0 ? fields : { ...fields, lostLines: lostCount };
  const line = logLine(new Date(), { level, message, fields: told });
  try {
    writeSync(STDERR, `${line}\n`);
    lostCount = 0;
  } catch (error) {
    // A full or closed stderr. The next line that gets through tells how many did not.
    lostCount += error instanceof Error ? 1 : 0;
  }
}

/** The line that `log` writes, without its newline: no control character, at most 2000 units. */
export function logLine(
  at: Date,
  entry: Readonly<{ level: Level; message: string; fields: Fields }>,
): string {
  let line = `${at.toISOString()} ${entry.level.padEnd(5)} ${escape(entry.message)}`;
  for (const [key, value] of Object.entries(entry.fields)) {
    line += ` ${escape(key)}=${quote(value)}`;
    if (line.length > LINE_MAX) break;
  }
  return line.length <= LINE_MAX ? line : `${line.slice(0, LINE_MAX - 1)}…`;
}

function quote(value: string | number | boolean | null): string {
  const text = String(value);
  if (PLAIN.test(text)) return escape(text);
  return `"${escape(text.replace(/["\\]/g, "\\$&"))}"`;
}

function escape(text: string): string {
  // Cut first: what is longer than a line would be cut anyway, and escaping it costs.
  return text.slice(0, LINE_MAX).replace(CONTROL, escapeControl);
}

function escapeControl(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
