/** Who may ask the API server for tests, and for what. */
import type { KindRow } from "./kinds.ts";
import { type Attempt, failure, forbidden, type Status } from "./status.ts";
import type { Call } from "./call.ts";

/** What is refused: all attempts that agree with what is given. */
export type Denial = Readonly<{
  verb?: string;
  resource?: string;
  namespace?: string;
  name?: string;
  subresource?: string;
  user?: string;
}>;

const ADMIN = "system:admin";

/** Bearer tokens and denials; both may change while the server runs. */
export class Guard {
  /** The user by token. While there is none, everybody is the administrator. */
  readonly tokens = new Map<string, string>();
  #denials: Denial[] = [];

  /** Denies from now on; the answer allows it again. Open watches go on, as they really do. */
  deny(denial: Denial): () => void {
    this.#denials.push(denial);
    return () => {
      this.#denials = this.#denials.filter((each) => each !== denial);
    };
  }

  /** 401, 403, or null. `certified`: the client showed a certificate. */
  refusal(call: Call, row: KindRow | null, certified: boolean): Status | null {
    const user = this.#user(call, certified);
    if (user === null) return failure(401, "Unauthorized");
    if (row === null) return null;
    const { verb, namespace, name, subresource } = call;
    const attempt: Attempt = { verb, row, namespace, name, subresource, user };
    return this.#denials.some((denial) => covers(denial, attempt)) ? forbidden(attempt) : null;
  }

  #user({ token }: Call, certified: boolean): string | null {
    if (certified || this.tokens.size === 0) return ADMIN;
    return this.tokens.get(token) ?? null;
  }
}

function covers(denial: Denial, { row, ...attempt }: Attempt): boolean {
  const { verb, namespace, name, subresource, user } = attempt;
  return (
    (denial.verb ?? verb) === verb &&
    (denial.resource ?? row.plural) === row.plural &&
    (denial.namespace ?? namespace) === namespace &&
    (denial.name ?? name) === name &&
    (denial.subresource ?? subresource) === subresource &&
    (denial.user ?? user) === user
  );
}
