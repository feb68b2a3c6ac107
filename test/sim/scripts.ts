/** Every way an exchange can go, as a table. */
import {
  answers,
  hasty,
  leave,
  rest,
  said,
  slowly,
  tagged,
  ask,
  head,
  upload,
  sized,
  chunk,
  inChunks,
  inPieces,
  refused,
  send,
  sees,
  left,
  fin,
  reads,
  inTurn,
  once,
  answering,
  following,
  plain,
  untilClose,
  tagOf,
  BIG,
  KEY,
  ACCEPT,
  UPGRADE,
} from "./steps.ts";
import type { Script } from "./steps.ts";

const HANDSHAKE = `${UPGRADE}Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${KEY}\r\n`;
const SWITCH = `HTTP/1.1 101 X\r\n${UPGRADE}Sec-WebSocket-Accept: ${ACCEPT}\r\n\r\n`;
/** What must never answer anybody. */
const STOLEN = "HTTP/1.1 200 X\r\nContent-Length: 6\r\n\r\nstolen";

const MANY = Array.from({ length: 20 }, (_, i) => ask("GET", `m${i}`));
/** Rind answers these by itself. */
const OWN = Array.from({ length: 20 }, () => said(ask("GET", "own"), 200, "rind's own"));

const get = ask("GET", "aa");
const post = ask("POST", "pp");
const big = ask("GET", "big", BIG);

export const SCRIPTS: readonly Script[] = [
  { name: "get", clients: [once(get, send(head("GET", "aa")))], serve: plain },
  { name: "head", clients: [once(ask("HEAD", "aa"), send(head("HEAD", "aa")))], serve: plain },
  {
    name: "empty",
    clients: [once({ ...get, status: 204, body: "" }, send(head("GET", "aa")))],
    serve: answering(() => [send("HTTP/1.1 204 X\r\n\r\n")]),
    probe: { ...ask("GET", "probe", 0), status: 204 },
  },
  {
    name: "slowReader",
    clients: [once(big, reads(3_000), send(head("GET", "big")))],
    serve: answering((request) => {
      const answer = sized(tagOf(request), BIG);
      return [send(answer.slice(0, 20_000), answer.slice(20_000))];
    }),
    rooms: { client: 6_000, backend: 6_000 },
    probe: ask("GET", "probe", BIG),
  },
  {
    name: "slowReaderChunked",
    clients: [once(big, reads(3_000), send(head("GET", "big")))],
    serve: answering((request) => [send(...inChunks(tagged(tagOf(request), BIG), 17_000))]),
    rooms: { client: 6_000, backend: 6_000 },
    probe: ask("GET", "probe", BIG),
  },
  {
    name: "post",
    clients: [
      once(
        post,
        send(head("POST", "pp", "Content-Length: 30\r\n"), tagged("pp", 12)),
        send(tagged("pp", 30).slice(12)),
      ),
    ],
    serve: plain,
  },
  {
    name: "postChunked",
    clients: [
      once(
        post,
        send(head("POST", "pp", "Transfer-Encoding: chunked\r\n")),
        send(chunk("pp "), chunk("pp pp "), "0\r\nX-Sum: 1\r\n\r\n"),
      ),
    ],
    serve: plain,
  },
  {
    name: "slowUpload",
    clients: [once(post, send(upload("POST", "pp", BIG)))],
    serve: slowly(plain),
    rooms: { client: 6_000, backend: 6_000 },
  },
  {
    name: "expect",
    clients: [
      once(
        post,
        send(head("POST", "pp", "Expect: 100-continue\r\nContent-Length: 30\r\n")),
        sees("HTTP/1.1 100 Continue\r\n\r\n"),
        send(tagged("pp", 30)),
      ),
    ],
    serve: plain,
  },
  {
    name: "pipelined",
    clients: [
      {
        asks: [get, ask("GET", "bb"), ask("GET", "cc")],
        steps: [send(head("GET", "aa") + head("GET", "bb") + head("GET", "cc"))],
      },
    ],
    serve: plain,
  },
  {
    name: "pipelinedPost",
    clients: [
      {
        asks: [get, post, ask("GET", "cc")],
        steps: [send(head("GET", "aa") + upload("POST", "pp", 30) + head("GET", "cc"))],
      },
    ],
    serve: plain,
  },
  {
    name: "pipelinedBad",
    clients: [
      {
        asks: [get, { ...get, status: 400, body: "bad request: request line\n" }],
        steps: [send(`${head("GET", "aa")}nonsense\r\n\r\n`)],
      },
    ],
    serve: plain,
  },
  { name: "reused", clients: [inTurn(get, ask("GET", "bb"))], serve: plain, connections: 1 },
  { name: "reusedPost", clients: [inTurn(get, post)], serve: plain, connections: 1 },
  { name: "reusedPut", clients: [inTurn(get, ask("PUT", "uu"))], serve: plain, connections: 1 },
  {
    name: "closing",
    connections: 3,
    clients: [inTurn(get, ask("GET", "bb"))],
    serve: answering((request) => [send(sized(tagOf(request), 20, "Connection: close\r\n")), fin]),
  },
  {
    name: "untilClose",
    connections: 3,
    clients: [inTurn(get, ask("GET", "bb"))],
    serve: untilClose,
    untilClose: true,
  },
  {
    name: "untilCloseOld",
    clients: [once(get, send("GET /aa HTTP/1.0\r\nHost: sim\r\n\r\n"))],
    serve: untilClose,
    untilClose: true,
  },
  {
    name: "chunkedTrailers",
    connections: 1,
    clients: [inTurn(get, ask("GET", "bb"))],
    serve: answering((request) => [
      send(...inChunks(tagged(tagOf(request), 20), 9, "X-Sum: 1\r\n")),
    ]),
  },
  {
    name: "chunkedOld",
    clients: [once(get, send("GET /aa HTTP/1.0\r\nHost: sim\r\n\r\n"))],
    serve: answering((request) => [send(...inChunks(tagged(tagOf(request), 20), 9))]),
  },
  {
    name: "early",
    clients: [
      once(
        { ...post, status: 403 },
        send(head("POST", "pp", "Content-Length: 200000\r\n"), tagged("pp", 1_000)),
      ),
    ],
    serve: following(sees("\r\n\r\n"), send(sized("pp", 20).replace("200", "403"))),
    stops: true,
    probe: null,
  },
  {
    name: "interim",
    connections: 1,
    clients: [inTurn(get, ask("GET", "bb"))],
    serve: answering((request) => [
      send("HTTP/1.1 103 X\r\nLink: <a>\r\n\r\n"),
      send(sized(tagOf(request), 20)),
    ]),
  },
  {
    name: "tunnel",
    clients: [
      {
        asks: [ask("GET", "ws", 0, 101)],
        steps: [
          send(head("GET", "ws", HANDSHAKE)),
          sees("welcome"),
          send("ping 1 ", "ping 2 "),
          sees("pong"),
          send("bye"),
          fin,
        ],
      },
    ],
    serve: following(
      sees("\r\n\r\n"),
      send(SWITCH),
      send("welcome "),
      sees("ping 2 "),
      send("pong "),
      left,
      send("farewell"),
      fin,
    ),
    probe: null,
    tunnel: { toClient: "welcome pong farewell", toBackend: "ping 1 ping 2 bye" },
  },
  {
    name: "elsewhere",
    clients: [inTurn(get, post)],
    serve: plain,
    endpoints: 2,
    refusing: 1,
  },
  {
    name: "elsewherePost",
    clients: [once(post, send(upload("POST", "pp", 30)))],
    serve: plain,
    endpoints: 2,
    refusing: 1,
  },
  {
    name: "nowhere",
    clients: [once(refused(get), send(head("GET", "aa")))],
    serve: plain,
    endpoints: 2,
    refusing: 2,
    probe: refused(get),
  },
  { name: "halfClose", clients: [once(get, send(head("GET", "aa")), fin)], serve: plain },
  {
    name: "halfClosePipelined",
    clients: [
      {
        asks: [get, ask("GET", "bb")],
        steps: [send(head("GET", "aa") + head("GET", "bb")), fin],
      },
    ],
    serve: plain,
  },
  {
    name: "twoClients",
    clients: [inTurn(get, ask("GET", "bb")), inTurn(ask("GET", "cc"), post)],
    serve: plain,
  },
  {
    name: "queued",
    clients: [inTurn(get, ask("GET", "bb")), inTurn(ask("GET", "cc"), post)],
    serve: plain,
    limits: { upstreamConnections: 1 },
  },
  {
    name: "queuedForRoom",
    clients: [inTurn(get, ask("GET", "bb")), inTurn(ask("GET", "cc"), post)],
    serve: plain,
    endpoints: 3,
    limits: { upstreamTotal: 1 },
  },
  {
    name: "queueFull",
    clients: [inTurn(get), inTurn(post), inTurn(ask("GET", "cc"))],
    serve: plain,
    limits: { upstreamConnections: 1, pending: 1 },
    crowded: true,
  },
  {
    name: "earlyKept",
    connections: 2,
    clients: [
      {
        asks: [post, ask("GET", "bb")],
        steps: [
          send(head("POST", "pp", "Content-Length: 30\r\n") + tagged("pp", 12)),
          answers(1, post),
          rest,
          send(tagged("pp", 30).slice(12), head("GET", "bb")),
          answers(2, post, ask("GET", "bb")),
        ],
      },
    ],
    serve: hasty(
      (tag) => [send(sized(tag, 20))],
      () => [],
    ),
    stops: true,
  },
  {
    name: "interimUpload",
    clients: [once(post, send(upload("POST", "pp", BIG)))],
    serve: slowly(
      hasty(
        () => [send("HTTP/1.1 103 X\r\nLink: <a>\r\n\r\n")],
        (tag) => [send(sized(tag, 20))],
      ),
    ),
    rooms: { client: 6_000, backend: 6_000 },
  },
  {
    name: "duplex",
    clients: [once(ask("POST", "dd", BIG), reads(1_500), send(upload("POST", "dd", BIG)))],
    serve: slowly(
      hasty(
        (tag) => [send(...inPieces(sized(tag, BIG), 2_000))],
        () => [],
      ),
    ),
    rooms: { client: 6_000, backend: 6_000 },
    overtakes: true,
    probe: ask("GET", "probe", BIG),
  },
  {
    name: "excess",
    connections: 3,
    clients: [inTurn(get, ask("GET", "bb"))],
    serve: answering((request) => [send(sized(tagOf(request), 20) + STOLEN)]),
  },
  {
    name: "excessLater",
    connections: 3,
    clients: [inTurn(get, ask("GET", "bb"))],
    serve: answering((request) => [send(sized(tagOf(request), 20), STOLEN)]),
  },
  {
    name: "excessPipelined",
    connections: 3,
    clients: [
      { asks: [get, ask("GET", "bb")], steps: [send(head("GET", "aa") + head("GET", "bb"))] },
    ],
    serve: answering((request) => [send(sized(tagOf(request), 20), STOLEN)]),
  },
  {
    name: "unasked",
    connections: 3,
    clients: [inTurn(get, ask("GET", "bb"))],
    serve: answering((request) => [send(sized(tagOf(request), 20)), rest, send(STOLEN)]),
  },
  {
    name: "reusedBigPut",
    clients: [
      {
        asks: [get, ask("PUT", "uu")],
        steps: [
          send(head("GET", "aa")),
          answers(1, get),
          rest,
          rest,
          // A longer head than the one that goes on, which may be laid over it.
          send(upload("PUT", "uu", 20_000, `Keep-Alive: ${"a".repeat(400)}\r\n`)),
          answers(2, get, ask("PUT", "uu")),
        ],
      },
    ],
    serve: plain,
  },
  {
    name: "reusedHead",
    clients: [inTurn(ask("HEAD", "aa"), ask("GET", "bb"))],
    serve: plain,
    connections: 1,
  },
  {
    name: "tooLarge",
    connections: 2,
    clients: [
      once(
        said(post, 413, "request body too large"),
        send(head("POST", "pp", "Transfer-Encoding: chunked\r\n") + chunk(tagged("pp", 60))),
        send(chunk(tagged("pp", 60))),
      ),
    ],
    serve: plain,
    policy: { bodyBytesMax: 100 },
    stops: true,
  },
  {
    name: "tooLargeAtOnce",
    clients: [
      once(
        said(post, 413, "request body too large"),
        send(head("POST", "pp", "Transfer-Encoding: chunked\r\n") + chunk(tagged("pp", 120))),
      ),
    ],
    serve: plain,
    policy: { bodyBytesMax: 100 },
    stops: true,
  },
  {
    name: "old",
    clients: [
      {
        asks: [get, ask("GET", "bb")],
        steps: [
          send("GET /aa HTTP/1.0\r\nHost: sim\r\nConnection: keep-alive\r\n\r\n"),
          answers(1, get),
          send("GET /bb HTTP/1.0\r\nHost: sim\r\n\r\n"),
        ],
      },
    ],
    serve: plain,
  },
  {
    name: "lastOne",
    clients: [once(get, send(head("GET", "aa", "Connection: close\r\n")))],
    serve: plain,
  },
  {
    name: "tunnelRefused",
    connections: 2,
    clients: [once(get, send(head("GET", "aa", HANDSHAKE) + "no request"))],
    serve: plain,
  },
  {
    name: "tunnelBig",
    clients: [
      {
        asks: [ask("GET", "ws", 0, 101)],
        steps: [
          reads(2_500),
          send(head("GET", "ws", HANDSHAKE)),
          sees("welcome"),
          send(tagged("up", 10_000), tagged("up", 10_000)),
          sees("end"),
        ],
      },
    ],
    serve: slowly(
      following(
        sees("\r\n\r\n"),
        send(`${SWITCH}welcome `, tagged("down", 12_000), tagged("down", 8_000)),
        sees("up ".repeat(3_000)),
        send("end"),
        fin,
      ),
    ),
    rooms: { client: 6_000, backend: 6_000 },
    probe: null,
    tunnel: {
      toClient: `welcome ${tagged("down", 12_000)}${tagged("down", 8_000)}end`,
      toBackend: tagged("up", 10_000) + tagged("up", 10_000),
    },
  },
  {
    name: "pipelinedMany",
    clients: [{ asks: MANY, steps: [send(MANY.map(({ tag }) => head("GET", tag)).join(""))] }],
    serve: plain,
  },
  {
    name: "ownAnswers",
    clients: [
      {
        asks: OWN,
        steps: [reads(100), send(OWN.map(({ tag }) => head("GET", tag)).join("")), fin],
      },
    ],
    serve: plain,
    rooms: { client: 300, backend: 300 },
  },
  {
    name: "littleRoom",
    clients: [inTurn(get, post)],
    serve: plain,
    rooms: { client: 40, backend: 40 },
  },
  {
    name: "tunnelEager",
    clients: [
      {
        asks: [ask("GET", "ws", 0, 101)],
        steps: [send(`${head("GET", "ws", HANDSHAKE)}early `), sees("welcome"), fin],
      },
    ],
    serve: following(sees("\r\n\r\n"), rest, send(SWITCH, "welcome"), left, send(" farewell"), fin),
    probe: null,
    tunnel: { toClient: "welcome farewell", toBackend: "early " },
  },
  {
    name: "earlyClosing",
    clients: [once({ ...post, status: 403 }, send(upload("POST", "pp", BIG)))],
    serve: slowly(
      following(
        sees("\r\n\r\n"),
        send(sized("pp", 20, "Connection: close\r\n").replace("200", "403")),
        leave,
      ),
    ),
    rooms: { client: 6_000, backend: 6_000 },
    overtakes: true,
    stops: true,
    probe: null,
  },
  {
    name: "headBody",
    connections: 2,
    clients: [inTurn(ask("HEAD", "aa"), ask("GET", "bb"))],
    serve: answering((request) => [send(sized(tagOf(request), 20))]),
  },
  {
    name: "worn",
    clients: [inTurn(get, ask("GET", "bb"))],
    serve: plain,
    limits: { keepAliveRequests: 2 },
  },
  {
    name: "reusedPostAgain",
    clients: [inTurn(get, post)],
    serve: plain,
    policy: { retry: { max: 1, nonIdempotent: true, fresh: false } },
  },
  {
    name: "freshAgain",
    clients: [inTurn(get, ask("PUT", "uu"))],
    serve: plain,
    endpoints: 2,
    policy: { retry: { max: 1, nonIdempotent: false, fresh: true } },
  },
  {
    name: "manyInterims",
    clients: [
      once(said(get, 502, "502 the backend sent an invalid response"), send(head("GET", "aa"))),
    ],
    serve: answering((request) => [
      send("HTTP/1.1 103 X\r\nLink: <a>\r\n\r\n".repeat(40), sized(tagOf(request), 20)),
    ]),
    probe: null,
  },
  {
    name: "crowd",
    clients: [
      inTurn(get, ask("PUT", "uu")),
      inTurn(ask("POST", "qq"), ask("GET", "bb")),
      { asks: MANY, steps: [send(MANY.map(({ tag }) => head("GET", tag)).join(""))] },
      once(ask("GET", "cc"), send(head("GET", "cc", "Connection: close\r\n"))),
      once(post, send(upload("POST", "pp", BIG))),
      { asks: [ask("GET", "dd")], steps: [send(head("GET", "dd")), fin] },
    ],
    serve: slowly(plain),
    endpoints: 2,
    rooms: { client: 6_000, backend: 6_000 },
    limits: { upstreamConnections: 2 },
  },
  {
    name: "duplexUntilClose",
    clients: [once(ask("POST", "dd", BIG), reads(1_500), send(upload("POST", "dd", BIG)))],
    serve: slowly(
      hasty(
        (tag) => [send("HTTP/1.1 200 X\r\n\r\n", ...inPieces(tagged(tag, BIG), 2_000)), fin],
        () => [],
      ),
    ),
    rooms: { client: 6_000, backend: 6_000 },
    overtakes: true,
    untilClose: true,
    probe: ask("GET", "probe", BIG),
  },
];
