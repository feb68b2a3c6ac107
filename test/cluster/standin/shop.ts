/** What Deployments and the EndpointSlice controller would do for the cheeses of the lesson. */
import { create, ask, MERGE, slice, slices } from "../../contract/target.cases.ts";
import type { Real } from "../access.ts";

/** How long a pod that ends goes on answering; Kubernetes gives it 30 s. */
const GRACE_MS = 300;
const PORT = 80;

type Pod = { address: string; ready: boolean; stop: () => Promise<void> };

/** Addresses for pods, each given once. */
export class Addresses {
  #last = 0;

  next(): string {
    this.#last++;
    return `198.18.1.${this.#last}`;
  }
}

/** One Deployment with its Service's slice: pods that answer their cheese and their address. */
export class Shop {
  readonly cheese: string;
  readonly #real: Real;
  readonly #addresses: Addresses;
  #pods: Pod[] = [];
  #made = false;

  constructor(real: Real, cheese: string, addresses: Addresses) {
    this.#real = real;
    this.cheese = cheese;
    this.#addresses = addresses;
  }

  /** Starts or ends pods, and resolves when the last one that ends has ended. */
  async scale(count: number): Promise<void> {
    while (this.#pods.length < count) this.#pods.push(this.#start());
    const leaving = this.#pods.slice(count);
    for (const pod of leaving) pod.ready = false;
    await this.#write();
    if (leaving.length > 0) await Bun.sleep(GRACE_MS);
    await Promise.all(leaving.map((pod) => pod.stop()));
    this.#pods = this.#pods.slice(0, count);
    await this.#write();
  }

  /** The end of all pods, untold. */
  async close(): Promise<void> {
    await Promise.all(this.#pods.map((pod) => pod.stop()));
  }

  #start(): Pod {
    const address = this.#addresses.next();
    const server = Bun.serve({
      hostname: address,
      port: PORT,
      development: false,
      fetch: () => new Response(`${this.cheese} ${address}\n`),
    });
    return { address, ready: true, stop: () => server.stop() };
  }

  async #write(): Promise<void> {
    const endpoints = this.#pods.map(({ address, ready }) => ({
      addresses: [address],
      conditions: { ready, serving: true, terminating: !ready },
    }));
    const path = slices("default");
    const body = { ...slice(this.cheese, ""), endpoints };
    if (!this.#made) await create(this.#real.admin, path, body);
    else await ask(this.#real.admin, "PATCH", `${path}/${this.cheese}`, { body, type: MERGE });
    this.#made = true;
  }
}
