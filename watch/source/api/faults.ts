/** Failures of rind's own making. To blame the server for them would send people astray. */
import type { ApiFailure } from "./api.ts";
import { unreadable } from "./pages.ts";

/**
 * What an exception in our own code costs whoever follows a list: this attempt. The process hears
 * of it like of any that nobody catches, and logs it with its stack (cli/bugs.ts). Its message is
 * not in the reason, which is shown in more places: it may quote an object.
 */
export function bugFailure(error: unknown): ApiFailure {
  void Promise.reject(error);
  const name = error instanceof Error ? error.name : typeof error;
  return unreadable(`a bug of rind (${name}): please report it, with its stack from the log`);
}
