/** A worker that is there and does nothing: alone in its file, since rind waits for it for long. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { get, pidsOf, withRind } from "./program.ts";

test("a worker that is stuck is replaced, and its queue is served", () =>
  withRind(["run", "--manifests", "k8s/examples", "--workers", "1"], async (rind) => {
    const [victim] = await pidsOf(rind);
    process.kill(victim!, "SIGSTOP");
    const { status } = await get(rind.port, "nobody.example", "/");
    assert.is(status, 404);
    assert.is.not((await pidsOf(rind))[0], victim);
    assert.match(rind.output(), /worker does not answer.*\n.*SIGKILL/);
  }));

test.run();
