/** Findings as lines of the log: those that last, the worst first, as many as a log can take. */
import type { Cancel, Clock } from "../core/clock.ts";
import type { log } from "../core/log.ts";
import type { Finding } from "../watch/finding.ts";
import { findingKey } from "../watch/report/event.ts";
import { tellFinding } from "../watch/translate/describe.ts";
import type { Standing, Voice } from "./serve.ts";

/** What is over within this time is not written: `kubectl apply` sends Ingress before Service. */
const SETTLE_MS = 3_000;
/** From one look at what has lasted to the next. */
const LOOK_MS = 1_000;
/** Findings that wait for that; more are only counted. */
const WAITING_MAX = 10_000;
/** Lines at once, such as those of a start; and then, of findings that come and go. */
const LINES_MAX = 100;
const LINES_PER_S = 10;
/** Lines at once about what is wrong with one object only. */
const OBJECT_LINES_MAX = 3;
const COMMAND = "kubectl ";
const SECOND_MS = 1_000;
/** From one line that says so to the next. */
const WARN_MS = 60_000;
const ALL = { all: "/api/findings" };

/** A line; how many findings it stands for, and what the others have in common with it. */
type Line = Readonly<{ finding: Finding; count: number; others: "like it" | "of it" }>;

/**
 * A voice that writes what is still there after 3 s: a line for findings that say the same of many
 * objects, or that one command mends, and else one each. Whoever may edit an object could flood the
 * log: of more than 3 about one object, or 100 lines at once and 10 a second, only the number is
 * written. The admin API has them all.
 */
export function openVoice(clock: Clock, write: typeof log): Voice {
  const waiting = new Map<string, number>();
  let standing: Standing = () => [];
  let cancel: Cancel | null = null;
  let room = LINES_MAX;
  let roomAt = clock.now();
  let unwritten = 0;
  let warnAt = roomAt;
  const look = (): void => {
    const now = clock.now();
    room = Math.min(LINES_MAX, room + ((now - roomAt) / SECOND_MS) * LINES_PER_S);
    roomAt = now;
    for (const { finding, count, others } of linesOf(lasting(waiting, standing(), now))) {
      if (room < 1) {
        unwritten += count;
        continue;
      }
      room -= 1;
      const more = count === 1 ? "" : ` (and ${count - 1} more ${others}: ${ALL.all})`;
      write(finding.level === "error" ? "error" : "warn", `${tellFinding(finding)}${more}`);
    }
    if (unwritten > 0 && now >= warnAt) {
      write("warn", "findings are too many to write them all here", { unwritten, ...ALL });
      warnAt = now + WARN_MS;
      unwritten = 0;
    }
    const [next] = waiting.values();
    cancel = next === undefined ? null : clock.after(Math.max(LOOK_MS, next - now), look);
  };
  return {
    opened: () => {},
    found: (fresh, all) => {
      standing = all;
      const dueAt = clock.now() + SETTLE_MS;
      for (const finding of fresh) {
        const key = findingKey(finding);
        if (waiting.has(key)) continue;
        if (waiting.size < WAITING_MAX) waiting.set(key, dueAt);
        else unwritten += 1;
      }
      if (waiting.size > 0) cancel ??= clock.after(SETTLE_MS, look);
    },
  };
}

/** Takes those that have waited long enough, as they are now; what is gone is left out. */
function lasting(
  waiting: Map<string, number>,
  standing: readonly Finding[],
  now: number,
): readonly Finding[] {
  const due = new Set<string>();
  for (const [key, dueAt] of waiting) {
    if (dueAt > now) break;
    due.add(key);
    waiting.delete(key);
  }
  return standing.filter((finding) => due.has(findingKey(finding)));
}

/** Errors first, and of those what many objects have. */
function linesOf(findings: readonly Finding[]): readonly Line[] {
  const alike = [...Map.groupBy(findings, likenessOf).values()];
  const single = alike.flatMap((group) => (group.length === 1 ? group : []));
  const objects = Map.groupBy(errorsFirst(single, levelOf), objectOf);
  const lines = [
    ...alike.flatMap((group) => (group.length === 1 ? [] : shorten(group, 1, "like it"))),
    ...[...objects.values()].flatMap((group) => shorten(group, OBJECT_LINES_MAX, "of it")),
  ];
  return errorsFirst(lines, ({ finding }) => finding.level);
}

function errorsFirst<T>(list: readonly T[], level: (item: T) => Finding["level"]): readonly T[] {
  const rank = (item: T): number => (level(item) === "error" ? 0 : 1);
  return list.toSorted((a, b) => rank(a) - rank(b));
}

/** The first of a group, where the last one of them counts for the rest. */
function shorten(group: readonly Finding[], max: number, others: Line["others"]): readonly Line[] {
  const shown = group.slice(0, max);
  const rest = group.length - shown.length;
  return shown.map((finding, i) => ({
    finding,
    count: i === shown.length - 1 ? rest + 1 : 1,
    others,
  }));
}

/** The same for what says the same of other objects, and for what the same command mends. */
function likenessOf(finding: Finding): string {
  const { level, kind, field, reason, hint, effect } = finding;
  const place = field.replace(/\d+/g, "");
  return commandOf(finding) || JSON.stringify([level, kind, place, reason, hint, effect]);
}

function objectOf({ kind, namespace, name }: Finding): string {
  return `${kind} ${namespace}/${name}`;
}

function levelOf({ level }: Finding): Finding["level"] {
  return level;
}

/** The command in a hint, or "". */
function commandOf({ hint }: Finding): string {
  const start = hint.indexOf(COMMAND);
  return start < 0 ? "" : hint.slice(start);
}
