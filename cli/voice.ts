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
/** Lines about one object at once; one is enough where a command mends all of them. */
const OBJECT_LINES_MAX = 3;
const COMMAND = "kubectl ";
const SECOND_MS = 1_000;
/** From one line that says so to the next. */
const WARN_MS = 60_000;
const ALL = { all: "/api/findings" };

/** A line, and how many findings it stands for. */
type Line = Readonly<{ finding: Finding; count: number }>;

/**
 * A voice that writes each finding that is still there after 3 s. Whoever may edit an object could
 * flood the log: of more than 3 about an object, or 100 lines at once and 10 a second, only the
 * number is written. The admin API has them all.
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
    for (const { finding, count } of linesOf(lasting(waiting, standing(), now))) {
      if (room < 1) {
        unwritten += count;
        continue;
      }
      room -= 1;
      const more = count === 1 ? "" : ` (and ${count - 1} more: ${ALL.all})`;
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

/** Errors first; what an object has too many of, or one command mends, counts on its last line. */
function linesOf(findings: readonly Finding[]): readonly Line[] {
  const errors = findings.filter(({ level }) => level === "error");
  const warnings = findings.filter(({ level }) => level !== "error");
  const groups = Map.groupBy([...errors, ...warnings], (finding) => {
    return commandOf(finding) || `${finding.kind} ${finding.namespace}/${finding.name}`;
  });
  return [...groups.values()].flatMap((group) => {
    const [first] = group;
    const max = first !== undefined && commandOf(first) !== "" ? 1 : OBJECT_LINES_MAX;
    const shown = group.slice(0, max);
    return shown.map((finding, i) => ({
      finding,
      count: i === shown.length - 1 ? group.length - i : 1,
    }));
  });
}

/** The command in a hint, or "". */
function commandOf({ hint }: Finding): string {
  const start = hint.indexOf(COMMAND);
  return start < 0 ? "" : hint.slice(start);
}
