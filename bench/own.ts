/** The time a thread has worked, which a busy machine does not stretch. */
import { dlopen, ptr } from "bun:ffi";

/** CLOCK_THREAD_CPUTIME_ID (Linux, clock_gettime(2)). */
const THREAD = 3;

/** Milliseconds that this thread has had a core; where that is not to be had, the time of day. */
export const ownMs: () => number = process.platform === "linux" ? openOwn() : performance.now;

function openOwn(): () => number {
  const { symbols } = dlopen("libc.so.6", {
    clock_gettime: { args: ["i32", "ptr"], returns: "i32" },
  });
  const time = new BigInt64Array(2);
  const at = ptr(time);
  return () => {
    symbols.clock_gettime(THREAD, at);
    return Number(time[0]) * 1e3 + Number(time[1]) / 1e6;
  };
}
