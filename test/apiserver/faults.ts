/** What can be wrong with the API server for tests, switched on and off while it runs. */
import type { ApiObject } from "./objects.ts";
import type { Call } from "./call.ts";

/**
 * Requests: `blackhole` answers nothing (and stalls the watches that are open), `delay` answers
 * late, `answer` refuses, `reset` is a RST, `drip` sends slowly, `cut` closes after so many bytes
 * of the body. Watches: `stall` keeps the connection and says nothing any more, `twice` tells each
 * event twice, `end` ends cleanly after each event, `expired` is 410 as an ERROR event. Lists and
 * watches: `mutate` tells another object than there is.
 */
export type Fault =
  | Readonly<{ kind: "blackhole" | "reset" | "stall" | "twice" | "end" | "expired" }>
  | Readonly<{ kind: "delay"; ms: number }>
  | Readonly<{ kind: "answer"; status: number; message?: string; retryAfterSeconds?: number }>
  | Readonly<{ kind: "drip"; bytes: number; ms: number }>
  | Readonly<{ kind: "cut"; bytes: number }>
  | Readonly<{ kind: "mutate"; mutate: (object: ApiObject) => unknown }>;

/** Which requests a fault hits: all that agree with what is given. `times` ends it by itself. */
export type Where = Readonly<{
  verb?: string;
  resource?: string;
  namespace?: string;
  name?: string;
  times?: number;
}>;

type Active = { readonly fault: Fault; readonly where: Where; left: number };
type Named<K> = Extract<Fault, { kind: K }>;

/** The faults that are switched on. Of several of one kind, the oldest that hits counts. */
export class Faults {
  #active: Active[] = [];

  /** Switches a fault on; the answer switches it off. */
  add(fault: Fault, where: Where = {}): () => void {
    const active = { fault, where, left: where.times ?? Number.POSITIVE_INFINITY };
    this.#active.push(active);
    return () => {
      this.#active = this.#active.filter((each) => each !== active);
    };
  }

  /** Switches all off. */
  clear(): void {
    this.#active = [];
  }

  /** The fault of this kind that hits a request now, which uses it up once; or undefined. */
  take<K extends Fault["kind"]>(kind: K, call: Call): Named<K> | undefined {
    const found = this.#active.find(
      (each) => each.fault.kind === kind && each.left > 0 && hits(each.where, call),
    );
    if (found === undefined) return undefined;
    found.left -= 1;
    return found.fault as Named<K>;
  }
}

function hits({ verb, resource, namespace, name }: Where, call: Call): boolean {
  return (
    (verb ?? call.verb) === call.verb &&
    (resource ?? call.resource) === call.resource &&
    (namespace ?? call.namespace) === call.namespace &&
    (name ?? call.name) === call.name
  );
}
