/** Starts worker processes: this same program again, told by one variable what it is. */
import { dirname, join } from "node:path";
import { log } from "./log.ts";
import { seal } from "./parcel.ts";
import type { FromWorker, ToWorker } from "./protocol.ts";

/** Set in a worker's environment, to its index; rind.ts looks at it before anything else. */
export const WORKER_VARIABLE = "RIND_WORKER";
/** The supervisor's process id, in the same place: who must not be outlived. */
export const SUPERVISOR_VARIABLE = "RIND_SUPERVISOR";

/** Descriptors a worker inherits: the file of shared cursors, then a socket for each address. */
export const CURSORS_FD = 3;
export const SOCKETS_FD = 4;

/** What the folder rind is called in holds, a .env or a bunfig.toml, is not meant for it. */
const ISOLATED = [
  "--no-install",
  "--no-env-file",
  `--config=${join(dirname(Bun.main), "bunfig.toml")}`,
];

/** What a child tells its owner. `gone` comes exactly once, last. */
export type ChildEvents = Readonly<{
  message: (message: FromWorker) => void;
  /** `why` is `code 1` or `signal SIGKILL`. */
  gone: (why: string) => void;
}>;

/** A running worker process. `kill` is SIGKILL; `send` to one that is gone does nothing. */
export type Child = Readonly<{
  pid: number;
  send: (message: ToWorker) => void;
  kill: () => void;
}>;

/** Starts worker `index`, which inherits `sockets`. */
export type Launch = (index: number, sockets: readonly number[], events: ChildEvents) => Child;

/** A launcher of this program, from source or compiled. `cursorsFd` is inherited by every child. */
export function launcher(cursorsFd: number | null): Launch {
  const command = [
    process.execPath,
    ...(Bun.isStandaloneExecutable ? [] : [...ISOLATED, Bun.main]),
  ];
  return (index, sockets, events) => {
    try {
      return spawn(command, { index, inherited: [cursorsFd ?? "ignore", ...sockets], events });
    } catch (error) {
      // No process or no memory to be had: the same as one that died at once.
      queueMicrotask(() => events.gone(String(error)));
      return { pid: 0, send: () => {}, kill: () => {} };
    }
  };
}

function spawn(
  command: readonly string[],
  start: Readonly<{
    index: number;
    inherited: readonly (number | "ignore")[];
    events: ChildEvents;
  }>,
): Child {
  const { index, inherited, events } = start;
  let over = false;
  const child = Bun.spawn([...command], {
    env: {
      ...process.env,
      [WORKER_VARIABLE]: String(index),
      [SUPERVISOR_VARIABLE]: String(process.pid),
    },
    stdio: ["ignore", "inherit", "inherit", ...inherited],
    // A first model of 5 000 hosts: 10 ms, where a structured clone takes 100.
    serialization: "json",
    // What it wrote last may be read after its end is known.
    ipc: (message) => (over ? undefined : events.message(message as FromWorker)),
    onExit: (_child, code, signal) => {
      over = true;
      events.gone(signal === null ? `code ${code}` : `signal ${signal}`);
    },
  });
  return {
    pid: child.pid,
    send: (message) => send(child, message),
    kill: () => child.kill("SIGKILL"),
  };
}

function send(child: Bun.Subprocess, message: ToWorker): void {
  try {
    child.send(seal(message));
  } catch (error) {
    // The channel closes a moment before the exit is seen; `gone` follows and decides.
    log("warn", "worker does not take messages", { pid: child.pid, error: String(error) });
  }
}
