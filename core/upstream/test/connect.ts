/** Dials that cannot even begin are told like those that fail: later, and once. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { connect } from "../connect.ts";
import type { UpstreamConnection } from "../connection.ts";

const ADDRESSES: readonly (readonly [string, string, number])[] = [
  ["a port beyond 65535", "127.0.0.1", 70_000],
  ["a port below zero", "127.0.0.1", -1],
  ["no port", "127.0.0.1", Number.NaN],
  ["an address that is none", "", 80],
  ["a link-local address without an interface", "fe80::1", 80],
];

for (const [name, address, port] of ADDRESSES) {
  test(`${name} is refused, after the call`, async () => {
    let refusals = 0;
    let told = (): void => {};
    const over = new Promise<void>((resolve) => (told = resolve));
    const double = {
      endpoint: { address, port, secure: null },
      opened: (socket: { terminate: () => void }) => (socket.terminate(), told()),
      closed: () => {},
      broken: () => told(),
      refused: () => {
        refusals++;
        told();
      },
    };
    connect(double as unknown as UpstreamConnection);
    assert.is(refusals, 0, "not before it returned");
    await over;
    await new Promise((resolve) => setImmediate(resolve));
    assert.is(refusals, 1);
  });
}

test.run();
