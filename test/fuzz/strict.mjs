/**
 * The independent strict parser: Node's own HTTP server, in a process of its own. It tells on
 * stdout, one line of JSON each, every complete request, every one that broke off, every parse
 * error; and answers each line of stdin with what its connections hold at that moment.
 */
import { METHODS, createServer } from "node:http";
import { createInterface } from "node:readline";

/** Lines that were not written yet: one write a turn of the loop is much cheaper. */
let lines = [];
let served = 0;
/** How far each connection had been read when its last request was complete; NaN: inside one. */
const marks = new Map();

function say(what) {
  if (lines.push(JSON.stringify(what)) === 1) setImmediate(flush);
}

function flush() {
  process.stdout.write(`${lines.join("\n")}\n`);
  lines = [];
}

const server = createServer(
  { insecureHTTPParser: false, maxHeaderSize: 262_144, keepAliveTimeout: 600_000 },
  (request, response) => {
    const parts = [];
    const address = String(request.headers["x-real-ip"] ?? "");
    marks.set(request.socket, NaN);
    request.on("data", (part) => parts.push(part));
    request.on("end", () => {
      marks.set(request.socket, request.socket.bytesRead);
      answer(request, response, { address, body: Buffer.concat(parts).toString("latin1") });
    });
    request.on("close", () => request.complete || say({ kind: "cut", address }));
    request.on("error", () => {});
  },
);

function answer(request, response, { address, body }) {
  const { method, url, rawHeaders } = request;
  const id = ++served;
  say({ kind: "request", id, address, method, url, fields: rawHeaders, body });
  const text = `${id} ${address}`;
  const fields = { "X-Served": String(id), "X-Address": address };
  // A client of HTTP/1.0 can only be kept with a length, and the run predicts what is kept.
  const chunked = id % 2 === 0 && !String(request.headers.via).endsWith("1.0 rind");
  if (!chunked) fields["Content-Length"] = String(text.length);
  if (id % 8 === 0) fields["Connection"] = "close";
  response.writeHead(200, fields);
  if (chunked) response.write(text.slice(0, 3));
  response.end(chunked ? text.slice(3) : text);
}

server.headersTimeout = 0;
server.requestTimeout = 0;
server.maxHeadersCount = 0;
server.on("connection", (socket) => {
  marks.set(socket, 0);
  socket.on("close", () => marks.delete(socket));
});
server.on("clientError", (error, socket) => {
  const packet = error.rawPacket?.toString("latin1").slice(0, 131_072) ?? "";
  say({ kind: "error", code: String(error.code), packet });
  socket.destroy();
});

createInterface({ input: process.stdin })
  .on("line", () => setImmediate(() => setImmediate(settle)))
  .on("close", () => process.exit(0));

function settle() {
  let busy = 0;
  let stray = 0;
  for (const [socket, mark] of marks) {
    if (Number.isNaN(mark)) busy++;
    else if (socket.bytesRead !== mark) stray++;
  }
  say({ kind: "settled", busy, stray, connections: marks.size });
}

server.listen(0, "127.0.0.1", () =>
  say({ kind: "listening", port: server.address().port, methods: METHODS }),
);
