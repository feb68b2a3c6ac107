/** Signals that ask for the end: the first drains, the second does not wait. */

const SIGNALS = ["SIGINT", "SIGTERM"] as const;
/** A terminal, npm and a launcher may each pass on the same Ctrl-C: this close, it is one. */
const ECHO_MS = 300;
/** What shells make of a program that a signal ended. */
const HARD_EXIT = 130;

/**
 * Takes over SIGINT and SIGTERM of this process, for its lifetime. Resolves to the name of the
 * first; the second ends the process at once, and the workers with it.
 */
export function untilAsked(): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  let firstAt = Infinity;
  for (const signal of SIGNALS) {
    process.on(signal, () => {
      const now = performance.now();
      if (now - firstAt > ECHO_MS) process.exit(HARD_EXIT);
      firstAt = Math.min(firstAt, now);
      resolve(signal);
    });
  }
  return promise;
}
