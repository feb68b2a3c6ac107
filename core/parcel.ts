/**
 * Texts that many hosts and backends share, such as authorities: in a delta on its way to a worker,
 * and in a file, each is there once, and whoever has it refers to it by its number.
 */
import type { Backend, Delta, SecureHost } from "./model.ts";
import type { ToWorker } from "./protocol.ts";

/** A message on its way. In the delta of a parcel `#N` stands for the text with that number. */
export type Sealed =
  | Exclude<ToWorker, { kind: "delta" }>
  | Readonly<{ kind: "parcel"; delta: Delta; texts: readonly string[] }>;

/** What stands for a text, or a text for what stands for it. */
type Swap = (text: string) => string;

/** Each text once, in the order in which they came. */
export class Texts {
  readonly list: string[] = [];
  readonly #places = new Map<string, number>();

  /** What stands for a text; nothing does for an empty one. */
  readonly put: Swap = (text) => {
    if (text === "") return "";
    let place = this.#places.get(text);
    if (place === undefined) {
      place = this.list.push(text) - 1;
      this.#places.set(text, place);
    }
    return `#${place}`;
  };
}

/** The other way round: the text for what stands for it; "" where there is none. */
export function textIn(texts: readonly string[]): Swap {
  return (mark) => (mark === "" ? "" : (texts[Number(mark.slice(1))] ?? ""));
}

/** A backend with each long text of it swapped. */
export function swapBackend(backend: Backend, swap: Swap): Backend {
  const { tls } = backend;
  if (tls === null) return backend;
  const { authorities, identity } = tls;
  const pair = identity && { chain: swap(identity.chain), key: swap(identity.key) };
  return { ...backend, tls: { ...tls, authorities: swap(authorities), identity: pair } };
}

/** The same for what is shown to clients that ask for a host. */
export function swapHost(host: SecureHost, swap: Swap): SecureHost {
  const { policy } = host;
  if (policy === null || policy.client === null) return host;
  const client = { ...policy.client, authorities: swap(policy.client.authorities) };
  return { ...host, policy: { ...policy, client } };
}

/** A message as it travels. */
export function seal(message: ToWorker): Sealed {
  if (message.kind !== "delta") return message;
  const texts = new Texts();
  const delta = swapDelta(message.delta, texts.put);
  return { kind: "parcel", delta, texts: texts.list };
}

/** The message that was sealed. Equal texts in it are one string. */
export function unseal(sealed: Sealed): ToWorker {
  if (sealed.kind !== "parcel") return sealed;
  return { kind: "delta", delta: swapDelta(sealed.delta, textIn(sealed.texts)) };
}

function swapDelta(delta: Delta, swap: Swap): Delta {
  return {
    ...delta,
    backends: delta.backends.map((backend) => swapBackend(backend, swap)),
    secure: delta.secure.map((host) => swapHost(host, swap)),
  };
}
