/** One kind in one place of the cluster: where the API server has it, and what it comes to. */
import type { Finding } from "../../finding.ts";
import { SERVICE_LABEL } from "../../objects.ts";
import { type Resource, USUAL_ACCOUNT, grantOf } from "../../resources.ts";
import type { StoreEvent } from "../../store.ts";
import type { FeedState } from "../source.ts";
import type { ApiFailure } from "./api.ts";
import { FORBIDDEN, isRefused } from "./codes.ts";
import type { Health } from "./journal.ts";
import { Keeper } from "./keeper.ts";
import { Reflector } from "./reflector.ts";
import type { FeedPlace, ReflectorTerms } from "./replica.ts";
import type { IngressStatus } from "./status.ts";

/** How RBAC says who may not. */
const USER = /\bUser "system:serviceaccount:([^":]+:[^":]+)"/;
const STAYS = "the last state known stays in use";

/** Which objects: those of a namespace, or of all ("") ; the one of that name, or all (""). */
export type Scope = Readonly<{
  resource: Resource;
  namespace: string;
  name: string;
  optional: boolean;
}>;

/** What all feeds of a source tell it. */
export type FeedEvents = Readonly<{
  tell: (event: StoreEvent) => void;
  /** Its findings may be others. */
  found: () => void;
  saw: (key: string, status: IngressStatus | null) => void;
  moved: (feed: Feed) => void;
}>;

/** One reflector and what it keeps. */
export class Feed {
  readonly #scope: Scope;
  readonly #keeper: Keeper;
  readonly #reflector: Reflector;

  constructor(terms: ReflectorTerms, scope: Scope, events: FeedEvents) {
    this.#scope = scope;
    const moved = (): void => events.moved(this);
    const { resource, namespace, name } = scope;
    const only = resource.kind === "Secret" && name !== "" ? `${namespace}/${name}` : "";
    this.#keeper = new Keeper(resource, { ...events, moved }, only);
    this.#reflector = new Reflector(terms, placeOf(scope), this.#keeper);
  }

  start(): void {
    this.#reflector.start();
  }

  /** Stops, and forgets nothing. */
  stop(): void {
    this.#reflector.stop();
  }

  /** Stops, and tells that all it had is gone. */
  drop(): void {
    this.#reflector.stop();
    this.#keeper.clear();
  }

  isIn(namespace: string): boolean {
    return this.#scope.namespace === namespace;
  }

  /** Whether there is any object in it. */
  holds(): boolean {
    return this.#keeper.holds();
  }

  /** See `Reflector.poke`. */
  poke(withinMs?: number): void {
    this.#reflector.poke(withinMs);
  }

  /** What is wrong with it is told with its fix, where people can mend it. */
  state(): FeedState {
    const state = this.#reflector.state();
    const hint = this.#refusal()?.hint ?? "";
    return hint === "" ? state : { ...state, problem: `${state.problem}; ${hint}` };
  }

  /** What is wrong with it now. */
  health(): Health {
    const { name } = this.#reflector.state();
    return { name, failure: this.#reflector.failure(), hint: this.#refusal()?.hint ?? "" };
  }

  /** What is wrong with its objects, and that it is denied or missing. */
  findings(): readonly Finding[] {
    const own = this.#keeper.findings();
    const refused = this.#refusal();
    return refused === null ? own : [refused, ...own];
  }

  #refusal(): Finding | null {
    const failure = this.#reflector.failure();
    if (failure === null || !isRefused(failure.status)) return null;
    const { name, synced } = this.#reflector.state();
    // An optional feed counts as synced also when it was never read.
    const known = this.#scope.optional ? this.#keeper.holds() : synced;
    return refusal(this.#scope, failure, { feed: name, known });
  }
}

/** The path of one list, or of one object of it. */
export function pathOf(resource: Resource, namespace: string, name = ""): string {
  const version = resource.apiVersions[0];
  const root = version.includes("/") ? `/apis/${version}` : `/api/${version}`;
  const place = namespace === "" ? root : `${root}/namespaces/${namespace}`;
  return name === "" ? `${place}/${resource.plural}` : `${place}/${resource.plural}/${name}`;
}

/** What a Secret that may not be read, or a kind, comes to, with the fix. `known`: it once was. */
export function refusal(
  { resource, namespace, name, optional }: Scope,
  failure: ApiFailure,
  { feed, known }: Readonly<{ feed: string; known: boolean }>,
): Finding {
  const { kind } = resource;
  const denied = failure.status === FORBIDDEN;
  const said = { level: "error", field: "", reason: failure.reason } as const;
  if (name !== "") {
    const account = USER.exec(failure.reason)?.[1] ?? USUAL_ACCOUNT;
    const hint = denied ? grantOf(namespace, account) : "";
    const effect = known ? STAYS : "it counts as missing until it is read";
    return { ...said, kind, namespace, name, hint, effect };
  }
  const hint = denied
    ? `let rind get, list and watch ${resource.plural}: kubectl apply -f k8s/rind.yaml`
    : `the API server has no ${resource.plural} of ${resource.apiVersions[0]}`;
  const effect = known
    ? STAYS
    : optional
      ? `rind goes on without ${resource.plural}`
      : "rind does not serve before it has read them";
  return { ...said, kind: "Rind", namespace: "", name: `watch of ${feed}`, hint, effect };
}

function placeOf({ resource, namespace, name, optional }: Scope): FeedPlace {
  const { kind } = resource;
  const query: Readonly<Record<string, string>> =
    name !== ""
      ? { fieldSelector: `metadata.name=${name}` }
      : kind === "EndpointSlice"
        ? // Those of no Service serve nobody.
          { labelSelector: SERVICE_LABEL }
        : {};
  const shown =
    name !== ""
      ? `${kind} ${namespace}/${name}`
      : namespace === ""
        ? kind
        : `${kind} in ${namespace}`;
  return { name: shown, kind, path: pathOf(resource, namespace), query, optional };
}
