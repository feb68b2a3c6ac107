/** The reader that judges answers must not be fooled by half of one. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { answerOn, Broken, dial, type Wire } from "../wire.ts";

const HEAD = "HTTP/1.1 200 OK\r\n";

/** What is sent, how it ends, and what was understood: the body, or why there is none. */
const CASES: readonly (readonly [string, "fin" | "reset" | "open", string | RegExp])[] = [
  [`${HEAD}Content-Length: 4\r\n\r\nbody`, "open", "body"],
  [`${HEAD}Content-Length: 0\r\n\r\n`, "open", ""],
  [`${HEAD}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n`, "open", "abcd"],
  ["HTTP/1.1 204 No Content\r\n\r\n", "open", ""],
  [`${HEAD}Content-Length: 5\r\n\r\nbody`, "fin", /fin 1 bytes before the end/],
  [`${HEAD}Content-Length: 5\r\n\r\nbody`, "reset", /reset 1 bytes before the end/],
  [`${HEAD}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n`, "fin", /between chunks/],
  [`${HEAD}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n`, "fin", /chunk/],
  [`${HEAD}Transfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n0\r\n\r\n`, "fin", /longer|chunk/],
  [`${HEAD}Transfer-Encoding: chunked\r\n\r\n0x3\r\nabc\r\n`, "fin", /chunk size/],
  [`${HEAD}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n`, "fin", /two framings/],
  [`${HEAD}no colon\r\n\r\n`, "fin", /without a name/],
  [`${HEAD}\r\nbody`, "fin", /without a length/],
  ["HTTP/1.1 200", "fin", /fin after 12 bytes of a head/],
  ["", "reset", /reset after 0 bytes/],
];

const wire = suite("wire");

for (const [bytes, ending, expected] of CASES) {
  wire(`${JSON.stringify(bytes)}, then ${ending}`, async () => {
    const read = (): boolean => client.received === bytes.length;
    const listener = answerOn(0, (peer) => void answer(peer, { bytes, ending, read }));
    const client = (await dial(listener.port)) as Wire;
    client.send("go\n");
    const message = await client.message("response", "GET");
    if (typeof expected === "string") {
      assert.is((message as { body: Buffer }).body.toString(), expected);
    } else {
      assert.instance(message, Broken);
      assert.match((message as Broken).reason, expected);
    }
    client.reset();
    listener.stop(true);
  });
}

wire("an end before the first byte is no message", async () => {
  const listener = answerOn(0, (peer) => void peer.shut());
  const client = (await dial(listener.port)) as Wire;
  client.send("go\n");
  assert.is(await client.message("response", "GET"), null);
  client.reset();
  listener.stop(true);
});

wire("nobody there is told as such", async () => {
  const listener = answerOn(0, () => {});
  const { port } = listener;
  listener.stop(true);
  const client = await dial(port);
  assert.instance(client, Broken);
  assert.match((client as Broken).reason, /ECONNREFUSED/);
});

type Answer = Readonly<{ bytes: string; ending: "fin" | "reset" | "open"; read: () => boolean }>;

async function answer(peer: Wire, { bytes, ending, read }: Answer): Promise<void> {
  await peer.until("\n");
  peer.send(bytes);
  if (ending === "fin") peer.shut();
  if (ending !== "reset") return;
  // A reset overtakes what was sent: the client has to have read it first.
  while (!read()) await new Promise((resolve) => setImmediate(resolve));
  peer.reset();
}

wire.run();
