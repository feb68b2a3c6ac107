/** HTTPS as people meet it: by openssl, curl and a browser, at hosts with other certificates. */
import { createHash, X509Certificate } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Given } from "../apiserver/objects.ts";
import { openAuthority } from "../pki.ts";
import type { KeyPair } from "../../core/model.ts";
import { startRind, until, type Program } from "./program.ts";
import { ingressOf, secretOf, serviceOf, sliceOf, type Secured } from "./objects.ts";

const NGINX = "nginx.ingress.kubernetes.io";
/** What a command may take. */
const COMMAND_MS_MAX = 60_000;

const root = openAuthority("rind e2e authority");
const outsiders = openAuthority("others");
/** By the names of their Secrets. */
const PAIRS: Readonly<Record<string, KeyPair>> = {
  shop: root.issue({ names: ["shop.example"] }),
  "cafe-ec": root.issue({ names: ["cafe.example"] }),
  "cafe-rsa": root.intermediate("between").issue({ names: ["cafe.example"], kind: "rsa" }),
  wild: root.issue({ names: ["*.wild.example"] }),
  bank: root.issue({ names: ["bank.example"] }),
  vault: root.issue({ names: ["vault.example"] }),
};
const SITES: readonly Secured[] = [
  { host: "shop.example", secrets: ["shop"] },
  { host: "cafe.example", secrets: ["cafe-ec", "cafe-rsa"] },
  { host: "*.wild.example", secrets: ["wild"] },
  {
    host: "bank.example",
    secrets: ["bank"],
    annotations: {
      [`${NGINX}/auth-tls-secret`]: "default/clients",
      [`${NGINX}/auth-tls-pass-certificate-to-upstream`]: "true",
    },
  },
  { host: "open.example", secrets: [] },
];
const HOSTS = [
  ["shop.example", "shop.example"],
  ["cafe.example", "cafe.example"],
  ["a.wild.example", "*.wild.example"],
] as const;

const tls = suite("tls");
let folder = "";
let rind: Program;
let origin: Bun.Server<undefined>;
let sealed: Bun.Server<undefined>;

tls.before(async () => {
  folder = mkdtempSync(join(tmpdir(), "rind-e2e-"));
  origin = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: tell });
  const { chain: cert, key } = PAIRS["vault"]!;
  const told = () => new Response("sealed");
  sealed = Bun.serve({ hostname: "127.0.0.1", port: 0, tls: { cert, key }, fetch: told });
  writeFileSync(join(folder, "objects.json"), JSON.stringify(objects()));
  writeFileSync(join(folder, "root.pem"), root.certificate);
  for (const [name, authority] of [
    ["good", root],
    ["bad", outsiders],
  ] as const) {
    const { chain, key } = authority.issue({ names: ["robot"], use: "client" });
    writeFileSync(join(folder, `${name}.pem`), chain);
    writeFileSync(join(folder, `${name}.key`), key);
  }
  rind = await startRind(flags("1"));
  await until("all hosts are served", async () => (await rind.get("open.example")).status === 200);
});

tls.after(async () => {
  const code = await rind.stop();
  origin.stop(true);
  sealed.stop(true);
  rmSync(folder, { recursive: true });
  assert.is(code, 0);
});

function flags(workers: string): string[] {
  const manifests = ["run", "--manifests", folder, "--workers", workers, "--lame-duck", "0s"];
  return [...manifests, "--https", "127.0.0.1:0", "--redirect-port", "443"];
}

/** What a backend is asked, as lines. */
function tell(request: Request): Response {
  const lines = [...request.headers].map(([name, value]) => `${name}: ${value}`);
  return new Response([`path ${new URL(request.url).pathname}`, ...lines, "end", ""].join("\n"));
}

function objects(): object {
  const items: Given[] = [
    serviceOf("web"),
    sliceOf("web", origin.port!),
    serviceOf("vault", 443),
    sliceOf("vault", sealed.port!),
    ...SITES.map((site) => ingressOf("web", site)),
    ingressOf("vault", {
      host: "vault.example",
      secrets: [],
      annotations: { [`${NGINX}/ssl-passthrough`]: "true" },
    }),
    secretOf("clients", { "ca.crt": root.certificate }),
    ...Object.entries(PAIRS).map(([name, { chain, key }]) =>
      secretOf(name, { "tls.crt": chain, "tls.key": key }),
    ),
  ];
  return { apiVersion: "v1", kind: "List", items };
}

/** Another rind for a while, with more flags. */
async function withFlags(more: readonly string[], body: () => Promise<void>): Promise<void> {
  const before = rind;
  rind = await startRind([...flags("0"), ...more]);
  try {
    await body();
  } finally {
    await rind.stop();
    rind = before;
  }
}

/** Skips, and says so, where a program is not installed. */
function withProgram(name: string, body: (path: string) => Promise<void>): () => Promise<void> {
  return async () => {
    const path = Bun.which(name);
    if (path === null) console.log(`skip: no ${name} here`);
    else await body(path);
  };
}

/** Runs a command to its end; what it said on both its outputs. */
async function command(args: readonly string[], input = ""): Promise<[number, string]> {
  const child = Bun.spawn([...args], {
    stdio: [new Blob([input]), "pipe", "pipe"],
    timeout: COMMAND_MS_MAX,
  });
  const outputs = [new Response(child.stdout).text(), new Response(child.stderr).text()];
  const output = (await Promise.all(outputs)).join("");
  return [await child.exited, output];
}

// --- openssl s_client ---

/** A handshake that openssl checks: chain and name. */
function sClient(openssl: string, host: string, more: readonly string[] = [], input = "") {
  const at = ["-connect", `127.0.0.1:${rind.httpsPort}`, "-servername", host];
  const check = ["-CAfile", join(folder, "root.pem"), "-verify_return_error"];
  return command([openssl, "s_client", ...at, ...check, ...more], input);
}

/** Whose certificate was shown; versions of openssl differ in their spaces. */
function subjectIn(output: string): string {
  return /^subject=CN ?= ?(.*)$/m.exec(output)?.[1] ?? output;
}

for (const [host, name] of HOSTS) {
  for (const version of ["1_2", "1_3"]) {
    const check = withProgram("openssl", async (openssl) => {
      const named = ["-verify_hostname", host, `-tls${version}`];
      const [code, output] = await sClient(openssl, host, named);
      assert.is(code, 0, output);
      assert.match(output, "Verify return code: 0 (ok)");
      assert.is(subjectIn(output), name);
      assert.match(output, `TLSv${version.replace("_", ".")}`);
    });
    tls(`openssl: ${host} by TLS ${version.replace("_", ".")}`, check);
  }
}

const KINDS = [
  ["ECDSA", "id-ecPublicKey"],
  ["RSA", "rsaEncryption"],
] as const;
for (const [kind, algorithm] of KINDS) {
  const check = withProgram("openssl", async (openssl) => {
    const cipher = ["-tls1_2", "-cipher", `ECDHE-${kind}-AES128-GCM-SHA256`];
    const [code, output] = await sClient(openssl, "cafe.example", cipher);
    assert.is(code, 0, output);
    assert.match(output, new RegExp(`a:PKEY: ${algorithm}`));
  });
  tls(`openssl: a host with two keys shows ${kind} to who asks for it`, check);
}

tls(
  "openssl: no 1.1, no renegotiation, no early data, and h1 alone by ALPN",
  withProgram("openssl", async (openssl) => {
    const old = ["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"];
    const [code, output] = await sClient(openssl, "shop.example", old);
    assert.not.equal(code, 0);
    assert.match(output, /alert protocol version/);
    const [, again] = await sClient(openssl, "shop.example", ["-tls1_2"], "R\n");
    assert.match(again, /alert no renegotiation/);
    const ask = "GET / HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n";
    const session = ["-tls1_3", "-ign_eof"];
    const [, early] = await sClient(openssl, "shop.example", session, ask);
    assert.match(early, "Max Early Data: 0");
    const [, alpn] = await sClient(openssl, "shop.example", ["-alpn", "h2,http/1.1"]);
    assert.match(alpn, "ALPN protocol: http/1.1");
    const [, none] = await sClient(openssl, "shop.example", ["-alpn", "acme-tls/1"]);
    assert.match(none, /alert no application protocol/);
  }),
);

tls(
  "openssl: a session is resumed",
  withProgram("openssl", async (openssl) => {
    const file = join(folder, "session.pem");
    const ask = "GET / HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n";
    const keep = ["-sess_out", file, "-ign_eof"];
    const [, first] = await sClient(openssl, "shop.example", keep, ask);
    assert.match(first, /^New, TLSv1\.3/m);
    const [, again] = await sClient(openssl, "shop.example", ["-sess_in", file, "-ign_eof"], ask);
    assert.match(again, /^Reused, TLSv1\.3/m);
  }),
);

tls(
  "openssl: a host that is passed through shows its backend's certificate, and answers",
  withProgram("openssl", async (openssl) => {
    const ask = "GET / HTTP/1.1\r\nHost: vault.example\r\nConnection: close\r\n\r\n";
    const [code, output] = await sClient(openssl, "vault.example", ["-ign_eof"], ask);
    assert.is(code, 0, output);
    assert.is(subjectIn(output), "vault.example");
    assert.match(output, /sealed/);
  }),
);

// --- curl ---

/** Asks by the ports that people use; `more` are further arguments. */
function curl(path: string, url: string, more: readonly string[] = []) {
  const map = (from: number, to: number) => ["--connect-to", `:${from}:127.0.0.1:${to}`];
  const doors = [...map(443, rind.httpsPort), ...map(80, rind.port)];
  const quiet = ["--silent", "--show-error", "--max-time", "30"];
  const trust = ["--cacert", join(folder, "root.pem")];
  return command([path, ...quiet, ...trust, ...doors, ...more, url]);
}

for (const [host] of HOSTS) {
  const check = withProgram("curl", async (path) => {
    const [code, output] = await curl(path, `https://${host}/a?b=c`);
    assert.is(code, 0, output);
    assert.match(output, "path /a");
    assert.match(output, "x-forwarded-proto: https");
  });
  tls(`curl: ${host} answers, and its backend knows that it was HTTPS`, check);
}

tls(
  "curl: a host without a certificate of its own is not trusted",
  withProgram("curl", async (path) => {
    const [code, output] = await curl(path, "https://open.example/");
    assert.is(code, 60, output);
    const [again, page] = await curl(path, "https://open.example/", ["--insecure"]);
    assert.is(again, 0, page);
    assert.match(page, "path /");
  }),
);

tls(
  "curl: plain HTTP is sent to HTTPS, with method and body",
  withProgram("curl", async (path) => {
    const show = ["--include", "--data", "x=1"];
    const [, answer] = await curl(path, "http://shop.example/buy?now=1", show);
    assert.match(answer, /^HTTP\/1\.1 308 /);
    assert.match(answer, /^location: https:\/\/shop\.example\/buy\?now=1\r$/im);
    const [code, page] = await curl(path, "http://shop.example/buy?now=1", ["-L", ...show]);
    assert.is(code, 0, page);
    assert.match(page, "path /buy");
    assert.match(page, "content-length: 3");
    const [, open] = await curl(path, "http://open.example/");
    assert.match(open, "path /");
  }),
);

tls(
  "curl: clients of a bank show a good certificate, or get nowhere",
  withProgram("curl", async (path) => {
    const shown = (name: string) =>
      ["--cert", join(folder, `${name}.pem`), "--key", join(folder, `${name}.key`)].concat(
        // What a client says of itself is not believed.
        ["--header", "ssl-client-verify: SUCCESS", "--header", "ssl-client-subject-dn: CN=root"],
      );
    const [code, page] = await curl(path, "https://bank.example/", shown("good"));
    assert.is(code, 0, page);
    assert.match(page, "ssl-client-verify: SUCCESS");
    assert.match(page, "ssl-client-subject-dn: CN=robot");
    assert.not.match(page, "CN=root");
    assert.match(page, /client-cert: :[A-Za-z0-9+/=]+:/);
    assert.match(page, /ssl-client-cert: -----BEGIN%20CERTIFICATE-----%0A/);
    for (const bad of [shown("bad"), []]) {
      const [failed, output] = await curl(path, "https://bank.example/", bad);
      assert.not.equal(failed, 0);
      assert.not.match(output, "path /");
    }
    // Another name in the handshake does not lead there either (RFC 9110 §15.5.20).
    const around = ["--header", "Host: bank.example", "--include"];
    const [, stray] = await curl(path, "https://shop.example/", around);
    assert.match(stray, /^HTTP\/1\.1 421 /);
    const [, clear] = await curl(path, "http://bank.example/", ["--include"]);
    assert.match(clear, /^HTTP\/1\.1 308 /);
  }),
);

tls(
  "curl: behind a proxy that begins with a PROXY header",
  withProgram("curl", async (path) => {
    await withFlags(["--proxy-protocol", "127.0.0.0/8"], async () => {
      for (const url of ["https://shop.example/", "http://open.example/"]) {
        const [code, page] = await curl(path, url, ["--haproxy-protocol"]);
        assert.is(code, 0, page);
        assert.match(page, "x-forwarded-for: 127.0.0.1");
        const [without] = await curl(path, url);
        assert.not.equal(without, 0);
      }
    });
  }),
);

tls(
  "flags: no old TLS, nothing for unknown names, HSTS, and a host that clients fall back to",
  withProgram("openssl", async (openssl) => {
    const strict = ["--tls-min-version", "1.3", "--unknown-sni", "refuse"];
    const more = ["--hsts", "max-age=60", "--default-certificate", "default/wild"];
    await withFlags([...strict, ...more], async () => {
      const [, old] = await sClient(openssl, "shop.example", ["-tls1_2"]);
      assert.match(old, /alert protocol version/);
      const [, unknown] = await sClient(openssl, "nobody.example");
      assert.match(unknown, /unrecognized name/);
      const ask = "GET / HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n";
      const [code, good] = await sClient(openssl, "shop.example", ["-ign_eof"], ask);
      assert.is(code, 0, good);
      assert.match(good, /^strict-transport-security: max-age=60\r?$/im);
      const [, known] = await sClient(openssl, "open.example");
      assert.is(subjectIn(known), "*.wild.example");
    });
  }),
);

// --- a browser ---

/** A browser that trusts the certificate of one host, and takes nobody's but that one. */
async function browse(chromium: string, url: string, pair: KeyPair): Promise<string> {
  const key = new X509Certificate(pair.chain).publicKey.export({ type: "spki", format: "der" });
  const hash = createHash("sha256").update(key).digest("base64");
  const profile = mkdtempSync(join(folder, "browser-"));
  const map = `MAP *:443 127.0.0.1:${rind.httpsPort}, MAP *:80 127.0.0.1:${rind.port}`;
  const quiet = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"];
  const [, output] = await command([
    chromium,
    ...quiet,
    "--disable-features=HttpsUpgrades",
    `--user-data-dir=${profile}`,
    `--host-resolver-rules=${map}`,
    `--ignore-certificate-errors-spki-list=${hash}`,
    "--dump-dom",
    url,
  ]);
  return output;
}

const VISITS = [
  ["https://shop.example/a", "shop"],
  ["https://a.wild.example/b", "wild"],
  ["http://shop.example/c", "shop"],
] as const;
for (const [url, secret] of VISITS) {
  const check = withProgram("chromium", async (chromium) => {
    const page = await browse(chromium, url, PAIRS[secret]!);
    assert.match(page, `path ${new URL(url).pathname}`);
    assert.match(page, "x-forwarded-proto: https");
  });
  tls(`browser: ${url}`, check);
}

tls(
  "browser: the certificate of one host is not shown for another",
  withProgram("chromium", async (chromium) => {
    const page = await browse(chromium, "https://shop.example/", PAIRS["wild"]!);
    assert.not.match(page, "x-forwarded-proto");
  }),
);

tls.run();
