/** A certificate authority for one test: a server's certificate for loopback, and a client's. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** All as PEM. */
export type Authority = Readonly<{
  ca: string;
  cert: string;
  key: string;
  clientCert: string;
  clientKey: string;
}>;

const KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
const NAMES = "DNS:kubernetes.default.svc,DNS:localhost,IP:127.0.0.1,IP:::1";

/** Makes one with the program `openssl`; null where there is none. */
export function makeAuthority(): Authority | null {
  if (Bun.which("openssl") === null) return null;
  const folder = mkdtempSync(join(tmpdir(), "rind-authority-"));
  const at = (name: string): string => join(folder, name);
  const pem = (name: string): string => readFileSync(at(name), "utf8");
  try {
    run(["req", "-x509", ...KEY, "-days", "2", "-subj", "/CN=test authority"], {
      "-keyout": at("ca.key"),
      "-out": at("ca.crt"),
    });
    for (const [name, subject, extensions] of [
      ["server", "/CN=kube-apiserver", `subjectAltName=${NAMES}`],
      ["client", "/O=system:masters/CN=test client", "extendedKeyUsage=clientAuth"],
    ] as const) {
      writeFileSync(at(`${name}.ext`), extensions);
      run(["req", ...KEY, "-subj", subject], {
        "-keyout": at(`${name}.key`),
        "-out": at(`${name}.csr`),
      });
      run(["x509", "-req", "-days", "2", "-CAcreateserial"], {
        "-in": at(`${name}.csr`),
        "-CA": at("ca.crt"),
        "-CAkey": at("ca.key"),
        "-extfile": at(`${name}.ext`),
        "-out": at(`${name}.crt`),
      });
    }
    const client = { clientCert: pem("client.crt"), clientKey: pem("client.key") };
    return { ca: pem("ca.crt"), cert: pem("server.crt"), key: pem("server.key"), ...client };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function run(args: readonly string[], files: Readonly<Record<string, string>>): void {
  const done = Bun.spawnSync(["openssl", ...args, ...Object.entries(files).flat()]);
  if (done.exitCode !== 0) throw new Error(`openssl ${args[0]}: ${done.stderr.toString()}`);
}
