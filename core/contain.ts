/**
 * A bug ends one connection, never a worker: what runs outside the callbacks of a socket, which
 * the runtime guards by itself, runs through here.
 */
import { BUG, FAULTS } from "./fault.ts";
import { log } from "./log.ts";
import { tally } from "./tally.ts";

/** What can be closed because its own code failed. */
export type Breakable = { broken(): void };

/** Does `work` for `owner`; when it throws, the bug is reported and `owner` closed. */
export function contain(owner: Breakable, work: () => void): void {
  try {
    work();
  } catch (error) {
    reportBug(error);
    owner.broken();
  }
}

/** Counts a broken invariant, and tells about it with its stack. */
export function reportBug(error: unknown): void {
  tally(BUG);
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
  log("error", FAULTS[BUG]!.name, { error: stack });
}
