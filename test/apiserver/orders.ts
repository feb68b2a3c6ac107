/** The API server as a process of its own: orders come by IPC, answers go back the same way. */
import type { ApiServerDouble } from "../apiserver.ts";
import type { Given } from "./objects.ts";

/** `put` and `remove` change objects at once; `fill` puts many. */
export type Order =
  | Readonly<{ order: number; kind: "put"; object: Given }>
  | Readonly<{ order: number; kind: "fill"; objects: readonly Given[] }>
  | Readonly<{ order: number; kind: "down" | "up" | "stop" }>;

/** When the events were written, on the clock that all processes share (CLOCK_MONOTONIC). */
export type Done = Readonly<{ order: number; atNs: string; watches: number }>;

/** Says its address, then does what it is told; ends when the other end leaves. */
export function takeOrders(server: ApiServerDouble): void {
  const { send } = process;
  if (send === undefined) {
    console.log(server.url);
    return;
  }
  process.on("message", (order: Order) => {
    const done = { order: order.order, atNs: String(process.hrtime.bigint()) };
    obey(server, order);
    process.send?.({ ...done, watches: server.watches().length } satisfies Done);
  });
  process.on("disconnect", () => process.exit(0));
  process.send?.({ url: server.url });
}

function obey(server: ApiServerDouble, order: Order): void {
  if (order.kind === "put") server.put(order.object);
  else if (order.kind === "fill") for (const object of order.objects) server.put(object);
  else if (order.kind === "down") server.down();
  else if (order.kind === "up") server.up();
  else process.exit(0);
}
