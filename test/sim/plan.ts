/** Which operation of a run fails, and how. */
import type { Random } from "../../core/random.ts";
import type { Side } from "./network.ts";

/** Something rind does with a socket, or hears from one. */
export type Operation = Readonly<{
  kind: "connect" | "read" | "write" | "close";
  side: Side;
  /** Which client, or which connection to a backend. */
  index: number;
}>;

/**
 * Connect: `refused`; `slow` opens after a second, `late` long after everybody gave up; `never` is
 * refused then. Over TLS: `shaken` is opened a second after it was reached, `distrusted` not at
 * all; instead of a handshake `clear` speaks, `hungUp` leaves, and `mute` says nothing.
 * Read, in the place of what was to be read: `eof`, the other side closed; `fin`, it closed for
 * writing only; `reset`; `cut` and `cutReset`, the same after the first half; `silence`, nothing
 * ever again. Write: `short` takes half; `full` nothing until the next drain; `stall` nothing ever;
 * `dead` is −1; `lost` takes all, and RST follows. Close, for our FIN: `reset` answers it, or
 * `silence`.
 */
export type HandshakeFault = "shaken" | "distrusted" | "clear" | "hungUp" | "mute";

export type Fault =
  | ("refused" | "slow" | "late" | "never" | HandshakeFault)
  | ("eof" | "fin" | "reset" | "cut" | "cutReset" | "silence")
  | ("short" | "full" | "stall" | "dead" | "lost");

export const HANDSHAKE_FAULTS: readonly HandshakeFault[] = [
  "shaken",
  "distrusted",
  "clear",
  "hungUp",
  "mute",
];

const WAYS: Readonly<Record<Operation["kind"], readonly Fault[]>> = {
  connect: ["refused", "slow", "late", "never", ...HANDSHAKE_FAULTS],
  read: ["eof", "fin", "reset", "cut", "cutReset", "silence"],
  write: ["short", "full", "stall", "dead", "lost"],
  close: ["reset", "silence"],
};

const HARMLESS: readonly Fault[] = ["short", "full", "slow", "shaken"];

/** Every way in which an operation can fail. */
export function waysOf({ kind }: Operation): readonly Fault[] {
  return WAYS[kind];
}

/** Faults that nobody must notice. */
export function harmless(fault: Fault | null): boolean {
  return fault === null || HARMLESS.includes(fault);
}

/** Says how the `n`-th operation of a run fails, from 0; null: it does not. */
export type Choice = (operation: Operation, n: number) => Fault | null;

/** These operations fail, by number. */
export function failing(faults: ReadonlyMap<number, Fault>): Choice {
  return (_operation, n) => faults.get(n) ?? null;
}

/** About `count` of so many operations fail, in a way of their own each. */
export function failingSome(random: Random, count: number, of: number): Choice {
  return (operation) => {
    if (random.below(of) >= count) return null;
    const ways = waysOf(operation);
    return ways[random.below(ways.length)]!;
  };
}

/** Counts the operations of a run and lets the chosen ones fail. */
export class Plan {
  readonly operations: Operation[] = [];
  /** What failed, and how, in order. */
  readonly failed: Operation[] = [];
  readonly faults: Fault[] = [];
  readonly #choose: Choice;

  constructor(choose: Choice) {
    this.#choose = choose;
  }

  readonly fault = (operation: Operation): Fault | null => {
    const fault = this.#choose(operation, this.operations.length);
    this.operations.push(operation);
    if (fault === null || !waysOf(operation).includes(fault)) return null;
    this.failed.push(operation);
    this.faults.push(fault);
    return fault;
  };
}
