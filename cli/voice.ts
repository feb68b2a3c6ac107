/** Findings as lines of the log, as many as a log can take. */
import type { Clock } from "../core/clock.ts";
import type { log } from "../core/log.ts";
import type { Finding } from "../watch/finding.ts";
import type { Voice } from "./serve.ts";

/** Lines at once, such as those of a start; and then, of findings that come and go. */
const LINES_MAX = 200;
const LINES_PER_S = 10;
const SECOND_MS = 1_000;
/** From one line that says so to the next. */
const WARN_MS = 60_000;

/**
 * A voice that writes each finding. Whoever may edit an object could flood the log with them: of
 * more than 200 at once and 10 a second, only the number is written. The admin API has them all.
 */
export function openVoice(clock: Clock, write: typeof log): Voice {
  let room = LINES_MAX;
  let at = clock.now();
  let unwritten = 0;
  let warnAt = at;
  return {
    opened: () => {},
    found: ({ level, reason, ...finding }: Finding) => {
      const now = clock.now();
      room = Math.min(LINES_MAX, room + ((now - at) / SECOND_MS) * LINES_PER_S);
      at = now;
      if (room < 1) {
        if (now >= warnAt) write("warn", "findings come too fast to write them all here", WHERE);
        if (now >= warnAt) warnAt = now + WARN_MS;
        unwritten += 1;
        return;
      }
      room -= 1;
      write(level === "error" ? "error" : "warn", reason, {
        ...finding,
        ...(unwritten === 0 ? {} : { unwritten }),
      });
      unwritten = 0;
    },
  };
}

const WHERE = { all: "/api/findings" };
