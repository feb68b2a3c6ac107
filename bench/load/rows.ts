/** The rows: what is asked of every product, and what rind promises against the others. */

/**
 * Who is compared. `nginx-big` is nginx set up for large bodies; `rind-peek` is rind made to read
 * every ClientHello before the TLS library does.
 */
export type ProductName = "floor" | "rind" | "rind-peek" | "nginx" | "nginx-big" | "haproxy";

/**
 * The names that clients ask for: in clear, over TLS, over TLS with an RSA certificate, and in
 * clear where TLS is spoken with the origin.
 */
export const HOSTS = {
  plain: "bench.example",
  secure: "secure.example",
  rsa: "rsa.example",
  backend: "backend.example",
} as const;

/** rind's CPU a request, or a handshake, is at most `max` times that of `than`. */
export type Target = Readonly<{ than: ProductName; max: number }>;

type Contest = Readonly<{
  name: string;
  host: (typeof HOSTS)[keyof typeof HOSTS];
  products: readonly ProductName[];
  targets: readonly Target[];
  /** Runs only when it is asked for by name. */
  aside: boolean;
}>;

/** Requests over connections that are kept: `secure` over TLS 1.3. */
export type RequestRow = Contest &
  Readonly<{
    kind: "requests";
    secure: boolean;
    method: "GET" | "POST";
    path: string;
    headers: Readonly<Record<string, string>>;
    requestBytes: number;
    responseBytes: number;
  }>;

/** Connections that do no more than shake hands, from connect to close. */
export type HandshakeRow = Contest &
  Readonly<{ kind: "handshakes"; version: "1.2" | "1.3"; resumed: boolean }>;

export type Row = RequestRow | HandshakeRow;

/** Resident memory of the serving process after any row without TLS, MB (10⁶ bytes). */
export const WORKER_RSS_MB_MAX = 70;

const TLS_PRODUCTS = ["rind", "rind-peek", "nginx", "haproxy"] as const;
const SMALL_PRODUCTS = ["floor", "rind", "nginx", "haproxy"] as const;
const BIG_PRODUCTS = ["floor", "rind", "nginx", "nginx-big", "haproxy"] as const;
const SMALL_TARGETS = [
  { than: "nginx", max: 0.97 },
  { than: "haproxy", max: 0.93 },
  { than: "floor", max: 1.3 },
] as const;
const BIG_TARGETS = [
  { than: "nginx", max: 0.7 },
  { than: "nginx-big", max: 1.3 },
] as const;

/** Twenty fields with the Host, of the sizes browsers send. */
const BROWSER_HEADERS = {
  "User-Agent":
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) " +
    "Chrome/140.0.0.0 Safari/537.36",
  Accept: "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
  "Accept-Language": "en-GB,en;q=0.9,fr;q=0.7,de;q=0.5",
  "Accept-Encoding": "gzip, deflate, br, zstd",
  "Cache-Control": "max-age=0",
  Cookie:
    "session=6f1ed002ab5595859014ebf0951522d9; theme=dark; consent=1; " +
    "_ga=GA1.2.1234567890.1700000000",
  "Upgrade-Insecure-Requests": "1",
  "Sec-Fetch-Dest": "document",
  "Sec-Fetch-Mode": "navigate",
  "Sec-Fetch-Site": "same-origin",
  "Sec-Fetch-User": "?1",
  "Sec-CH-UA": '"Chromium";v="140", "Not=A?Brand";v="24"',
  "Sec-CH-UA-Mobile": "?0",
  "Sec-CH-UA-Platform": '"Linux"',
  Referer: "https://bench.example/cheeses/cheddar?order=age&direction=descending",
  "If-None-Match": 'W/"5f-0K1Q2W3E4R5T6Y7U8I9O0P"',
  "If-Modified-Since": "Tue, 04 Nov 2025 09:12:44 GMT",
  DNT: "1",
  Priority: "u=0, i",
};

const PLAIN = { kind: "requests", host: HOSTS.plain, secure: false, aside: false } as const;
const SECURE = {
  kind: "requests",
  host: HOSTS.secure,
  secure: true,
  products: TLS_PRODUCTS,
  aside: false,
} as const;
const GET = { method: "GET", headers: {}, requestBytes: 0 } as const;
const SMALL = { ...PLAIN, products: SMALL_PRODUCTS, targets: SMALL_TARGETS } as const;
const BIG = { ...PLAIN, products: BIG_PRODUCTS, targets: BIG_TARGETS } as const;
const BACKEND = {
  ...PLAIN,
  host: HOSTS.backend,
  products: ["rind", "nginx", "haproxy"],
  targets: [],
  aside: true,
} as const;
const POST_64K = {
  method: "POST",
  path: "/",
  headers: {},
  requestBytes: 64 << 10,
  responseBytes: 64,
  targets: [],
} as const;
const HANDSHAKE = {
  kind: "handshakes",
  host: HOSTS.secure,
  version: "1.3",
  resumed: false,
  products: TLS_PRODUCTS,
  targets: [],
  aside: false,
} as const;

export const ROWS: readonly Row[] = [
  { ...GET, ...SMALL, name: "small", path: "/", responseBytes: 64 },
  {
    ...GET,
    ...SMALL,
    name: "headers",
    path: "/",
    headers: BROWSER_HEADERS,
    responseBytes: 64,
    targets: [],
  },
  { ...GET, ...BIG, name: "64k", path: "/64k", responseBytes: 64 << 10 },
  { ...GET, ...BIG, name: "1m", path: "/1m", responseBytes: 1 << 20 },
  { ...BIG, ...POST_64K, name: "upload64k" },
  {
    ...GET,
    ...SECURE,
    name: "tls",
    path: "/",
    responseBytes: 64,
    targets: [
      { than: "nginx", max: 0.8 },
      { than: "haproxy", max: 0.85 },
    ],
  },
  {
    ...GET,
    ...SECURE,
    name: "tls64k",
    path: "/64k",
    responseBytes: 64 << 10,
    targets: [{ than: "nginx", max: 0.8 }],
  },
  { ...SECURE, ...POST_64K, name: "tlsupload64k", aside: true },
  { ...GET, ...BACKEND, name: "backend", path: "/", responseBytes: 64 },
  { ...GET, ...BACKEND, name: "backend64k", path: "/64k", responseBytes: 64 << 10 },
  { ...HANDSHAKE, name: "handshake", targets: [{ than: "nginx", max: 0.75 }] },
  { ...HANDSHAKE, name: "handshake-resumed", resumed: true, aside: true },
  { ...HANDSHAKE, name: "handshake-tls12", version: "1.2", aside: true },
  { ...HANDSHAKE, name: "handshake-rsa", host: HOSTS.rsa, aside: true },
];

/** The origin's body byte at `i`: any byte lost, doubled or moved shows. */
export function bodyByte(i: number): number {
  return 97 + (i % 23);
}
