/** Time as a parameter: whoever waits is given a clock, and a test turns its hands. */

/** Monotonic time, and calls that come later. */
export type Clock = Readonly<{
  /** Milliseconds since some fixed moment; never goes back. */
  now(): number;
  /** Calls once, `ms` or more from now and never at once; the answer takes it back. */
  after(ms: number, call: () => void): Cancel;
}>;

/** Takes a call back; harmless when it has been made already. */
export type Cancel = () => void;

/** A clock whose time passes by `advance` only. */
export type FakeClock = Clock &
  Readonly<{
    /** Lets `ms` pass, making the calls that become due in their order, at their own moments. */
    advance(ms: number): void;
  }>;

type Due = Readonly<{ at: number; order: number; call: () => void }>;

/** The real clock. Its calls keep the process alive until they are made or taken back. */
export const systemClock: Clock = {
  now: () => performance.now(),
  after: (ms, call) => {
    const timer = setTimeout(call, ms);
    return () => clearTimeout(timer);
  },
};

/** A clock for tests; starts at 0. Calls made while it advances may ask for further ones. */
export function fakeClock(): FakeClock {
  let now = 0;
  let order = 0;
  const waiting = new Set<Due>();
  return {
    now: () => now,
    after: (ms, call) => {
      const due = { at: now + ms, order: order++, call };
      waiting.add(due);
      return () => void waiting.delete(due);
    },
    advance: (ms) => {
      const end = now + ms;
      for (let due = next(waiting, end); due !== null; due = next(waiting, end)) {
        waiting.delete(due);
        now = Math.max(now, due.at);
        due.call();
      }
      now = end;
    },
  };
}

function next(waiting: ReadonlySet<Due>, end: number): Due | null {
  let first: Due | null = null;
  for (const due of waiting) {
    if (due.at > end) continue;
    const sooner = first === null || due.at < first.at;
    if (sooner || (first !== null && due.at === first.at && due.order < first.order)) first = due;
  }
  return first;
}
