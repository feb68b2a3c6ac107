/** The API server as a process of its own: orders come by IPC, answers go back the same way. */
import type { ApiServerDouble } from "../apiserver.ts";
import type { ApiObject, Given } from "./objects.ts";

/**
 * `put` writes an object, `fill` many. `churn` edits endpoints for a while: each time, one slice
 * loses its first endpoint and gets it back as the last one of another address.
 */
type Order =
  | Readonly<{ order: number; kind: "put"; object: Given }>
  | Readonly<{ order: number; kind: "fill"; objects: readonly Given[] }>
  | Readonly<{ order: number; kind: "churn"; perSecond: number; seconds: number }>;

/** Between two turns of churn. */
const TURN_MS = 10;
const MS_A_SECOND = 1_000;

/** Says its address, then does what it is told; ends when the other end leaves. */
export function takeOrders(server: ApiServerDouble): void {
  if (process.send === undefined) {
    console.log(server.url);
    return;
  }
  process.on("message", (order: Order) => void obey(server, order));
  process.on("disconnect", () => process.exit(0));
  process.send({ url: server.url });
}

/** `atMs`: when the watches were told, in milliseconds since 1970, as exact as there is. */
async function obey(server: ApiServerDouble, order: Order): Promise<void> {
  const atMs = performance.timeOrigin + performance.now();
  let count = 1;
  if (order.kind === "put") server.put(order.object);
  else if (order.kind === "fill") for (const object of order.objects) server.put(object);
  else count = await churn(server, order.perSecond, order.seconds);
  const watches = server.watches().length;
  // Nobody reads these here, and they would grow without end.
  server.seen.length = 0;
  process.send?.({ order: order.order, atMs, watches, count });
}

async function churn(server: ApiServerDouble, perSecond: number, seconds: number): Promise<number> {
  const row = server.kinds.find(({ plural }) => plural === "endpointslices")!;
  const slices = server.objects.list(row, "").map(({ object }) => object);
  const began = performance.now();
  let count = 0;
  for (;;) {
    const passedMs = performance.now() - began;
    if (passedMs > seconds * MS_A_SECOND) return count;
    for (; count < (passedMs / MS_A_SECOND) * perSecond; count++) {
      // A step that shares no factor with the number of slices reaches all of them.
      const at = (count * 7_919) % slices.length;
      slices[at] = moved(slices[at]!);
      server.put(slices[at]!);
    }
    await Bun.sleep(TURN_MS);
  }
}

/** The slice after one of its pods was replaced: 127.1.x.y becomes 127.129.x.y, and back. */
function moved(slice: ApiObject): ApiObject {
  const [first, ...rest] = slice["endpoints"] as { addresses: string[] }[];
  const octets = first!.addresses[0]!.split(".");
  octets[1] = String(Number(octets[1]) ^ 128);
  return { ...slice, endpoints: [...rest, { ...first!, addresses: [octets.join(".")] }] };
}
