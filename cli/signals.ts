/**
 * Signals. SIGTERM and SIGINT ask for the end: the first drains, the second does not wait. SIGHUP
 * asks for new workers, as with other proxies; but at a terminal it means that the terminal is
 * closed, and that is an end as well. SIGUSR1 and SIGUSR2, which ask other proxies for new logs or
 * a new binary, would end a program that does not know them: here they do nothing.
 */
import { isatty } from "node:tty";
import { log } from "../core/log.ts";

export type Ending = "SIGINT" | "SIGTERM" | "SIGHUP";

/** A terminal, npm and a launcher may each pass on the same Ctrl-C: this close, it is one. */
const ECHO_MS = 300;
/** stdin, stdout, stderr. */
const STREAMS = [0, 1, 2];
/** What shells make of a program that a signal ended. */
const HARD_EXIT = 130;

/**
 * Takes over the signals of this process, for its lifetime. Resolves to the name of the first that
 * asks for the end; the second ends the process at once, and the workers with it.
 */
export function untilAsked(renew: () => void): Promise<Ending> {
  const { promise, resolve } = Promise.withResolvers<Ending>();
  let firstAt = Infinity;
  const end = (signal: Ending): void => {
    const now = performance.now();
    if (now - firstAt > ECHO_MS) process.exit(HARD_EXIT);
    firstAt = Math.min(firstAt, now);
    resolve(signal);
  };
  process.on("SIGINT", () => end("SIGINT"));
  process.on("SIGTERM", () => end("SIGTERM"));
  // Asked now: a terminal that hangs up is none any more.
  const terminal = STREAMS.some((fd) => isatty(fd));
  process.on("SIGHUP", () => (terminal ? end("SIGHUP") : renew()));
  for (const signal of ["SIGUSR1", "SIGUSR2"]) {
    process.on(signal, () => log("warn", "signal means nothing to rind", { signal }));
  }
  return promise;
}
