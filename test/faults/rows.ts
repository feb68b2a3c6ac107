/**
 * The rows of the fault table: what can go wrong with an API server while rind serves, with clients
 * that ask all the time. Not one request may fail, and afterwards rind follows the cluster again.
 */
import * as assert from "uvu/assert";
import type { ApiServerOptions } from "../apiserver.ts";
import { World } from "./world.ts";

/** What rind asks for, all the time. */
export const KINDS = ["ingresses", "ingressclasses", "services", "endpointslices"];
/** Requests of the clients: about two seconds, twenty for rind's control plane. */
export const A_WHILE = 400;

/** What uvu's `suite` gives, as far as it is used here. */
type Suite = ((name: string, test: () => Promise<void>) => void) &
  Readonly<{
    before: (hook: () => Promise<void>) => void;
    after: (hook: () => Promise<void>) => void;
  }>;
/** The flags of rind, and what is special about the API server. */
type Setting = Readonly<{ flags?: readonly string[]; server?: ApiServerOptions }>;
/** A row: its name, and the fault from its beginning to its end. */
type AddRow = (name: string, fault: (world: World) => Promise<void>) => void;

/** Gives a suite a world of its own, for rows that come one after the other. */
export function rowsOf(rows: Suite, { flags = [], server = {} }: Setting = {}): AddRow {
  let world: World;
  rows.before(async () => {
    world = new World(server);
    await world.serve(flags);
    world.ask();
  });
  rows.after(() => world.stop());
  return (name, fault) => {
    rows(name, async () => {
      const { traffic } = world;
      const before = traffic.served();
      await fault(world);
      await world.follows();
      assert.equal(traffic.failures, []);
      assert.ok(traffic.served() > before, "nobody asked meanwhile");
    });
  };
}
