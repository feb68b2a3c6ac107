/**
 * The few calls of the C library that Bun has no words for, on Linux: of the processes, at their
 * start and end, and one question about a connection whose peer seems to stand still.
 */
import { dlopen, read } from "bun:ffi";
import { fstatSync, constants as files } from "node:fs";
import { constants } from "node:os";

const CALLS = {
  socket: { args: ["i32", "i32", "i32"], returns: "i32" },
  setsockopt: { args: ["i32", "i32", "i32", "ptr", "u32"], returns: "i32" },
  getsockopt: { args: ["i32", "i32", "i32", "ptr", "ptr"], returns: "i32" },
  bind: { args: ["i32", "ptr", "u32"], returns: "i32" },
  getsockname: { args: ["i32", "ptr", "ptr"], returns: "i32" },
  listen: { args: ["i32", "i32"], returns: "i32" },
  shutdown: { args: ["i32", "i32"], returns: "i32" },
  inet_pton: { args: ["i32", "ptr", "ptr"], returns: "i32" },
  prctl: { args: ["i32", "u64", "u64", "u64", "u64"], returns: "i32" },
  fcntl: { args: ["i32", "i32", "i32"], returns: "i32" },
  ioctl: { args: ["i32", "u64", "ptr"], returns: "i32" },
  capget: { args: ["ptr", "ptr"], returns: "i32" },
  capset: { args: ["ptr", "ptr"], returns: "i32" },
  __errno_location: { args: [], returns: "ptr" },
} as const;

/** glibc, and musl by its architectures. */
const NAMES = ["libc.so.6", "libc.musl-x86_64.so.1", "libc.musl-aarch64.so.1"];

const PR_SET_PDEATHSIG = 1;
const F_DUPFD_CLOEXEC = 1_030;
const F_GETFL = 3;
const F_SETFL = 4;
const F_SETPIPE_SZ = 1_031;
/** The most that the system lets everybody have: thousands of lines. */
const PIPE_BYTES = 1_048_576;
const SIOCOUTQ = 0x5411;
const IPPROTO_TCP = 6;
const TCP_DEFER_ACCEPT = 9;
/** The kernel counts in repetitions of its SYN-ACK, the first of which comes after a second. */
const DEFER_SECONDS = new Int32Array([1]);

export type Libc = ReturnType<typeof dlopen<typeof CALLS>>["symbols"];

type Opened = Readonly<{ ok: true; libc: Libc } | { ok: false; reason: string }>;

let opened: Opened | null = null;

/** The C library, or the reason why it cannot be called; opened once. */
export function openLibc(): Opened {
  return (opened ??= open());
}

function open(): Opened {
  let reason = `not on ${process.platform}`;
  // The numbers of options and families are those of Linux.
  if (process.platform !== "linux") return { ok: false, reason };
  for (const name of NAMES) {
    try {
      return { ok: true, libc: dlopen(name, CALLS).symbols };
    } catch (error) {
      reason = String(error);
    }
  }
  return { ok: false, reason };
}

/** The name of the error of the call just made, such as EADDRINUSE. Ask before anything else. */
export function errorOf(libc: Libc): string {
  const location = libc.__errno_location();
  const number = location === null ? 0 : read.i32(location, 0);
  const named = Object.entries(constants.errno).find(([, value]) => value === number);
  return named?.[0] ?? `errno ${number}`;
}

/**
 * Has the kernel kill this process when `parent` ends, even when this one is stuck or stopped.
 * False when that cannot be had, or when the parent is gone already.
 */
export function dieWith(libc: Libc, parent: number): boolean {
  const set = libc.prctl(PR_SET_PDEATHSIG, constants.signals.SIGKILL, 0, 0, 0) === 0;
  return set && process.ppid === parent;
}

/**
 * Has writes to `fd` fail when they would have to wait for its reader: a log that nobody takes any
 * more must not stop a process. Only pipes and sockets; all processes that share one share this.
 * A pipe is made as long as it may be, so that a burst, such as the findings of a start, fits in.
 */
export function neverWait(libc: Libc, fd: number): void {
  const file = fstatSync(fd);
  if (!file.isFIFO() && !file.isSocket()) return;
  if (file.isFIFO()) libc.fcntl(fd, F_SETPIPE_SZ, PIPE_BYTES);
  libc.fcntl(fd, F_SETFL, libc.fcntl(fd, F_GETFL, 0) | files.O_NONBLOCK);
}

/**
 * Another descriptor of what `fd` is, which no child inherits; null when there is none to be had.
 * A socket that listens goes on as long as one of its descriptors is open.
 */
export function duplicateOf(fd: number, system = openLibc()): number | null {
  const twin = system.ok ? system.libc.fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;
  return twin < 0 ? null : twin;
}

/**
 * Has connections to the listening socket `fd` accepted when their first bytes are here, or after
 * about a second without any (tcp(7), TCP_DEFER_ACCEPT). False where that is not to be had.
 */
export function acceptWithBytes(fd: number, system = openLibc()): boolean {
  if (!system.ok) return false;
  return system.libc.setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, DEFER_SECONDS, 4) === 0;
}

/**
 * How many of the bytes that the kernel took for the TCP socket `fd` its peer has not acknowledged
 * yet (tcp(7), SIOCOUTQ). 0 where nobody says.
 */
export function unackedBy(system = openLibc()): (fd: number) => number {
  if (!system.ok) return () => 0;
  const { libc } = system;
  const count = new Int32Array(1);
  return (fd) => (libc.ioctl(fd, SIOCOUTQ, count) === 0 ? count[0]! : 0);
}
