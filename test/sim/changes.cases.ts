/** What happens to a worker while it serves. */
import type { World } from "./world.ts";

export type Change = Readonly<{
  name: string;
  happen: (world: World) => void;
  /** Clients may notice, by a `Connection: close`. */
  noticed: boolean;
}>;

export const CHANGES: readonly Change[] = [
  { name: "endpoints are replaced", happen: (world) => world.replace("new"), noticed: false },
  { name: "the worker drains", happen: (world) => world.drain(), noticed: true },
];
