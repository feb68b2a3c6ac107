/** A certificate authority of a test's own, by the openssl of the machine. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { assert } from "../../core/assert.ts";

const DAYS = "2";
const KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

/** Where a certificate and its key are. */
export type Pair = Readonly<{ cert: string; key: string }>;

/** Issues certificates into its folder. */
export type Authority = Readonly<{
  /** The file of its own certificate. */
  ca: string;
  /** `subject` such as `/O=group/CN=user`; `names` such as `IP:127.0.0.1,DNS:localhost`, or "". */
  issue: (file: string, subject: string, names: string) => Pair;
}>;

/** Whether there is an openssl to do the work. */
export function hasOpenssl(): boolean {
  return Bun.which("openssl") !== null;
}

/** Makes an authority in `folder`, which exists. */
export function openAuthority(folder: string): Authority {
  const [ca, caKey] = [join(folder, "ca.crt"), join(folder, "ca.key")];
  const subject = "/CN=rind test authority";
  openssl("req", "-x509", ...KEY, "-keyout", caKey, "-out", ca, "-days", DAYS, "-subj", subject);
  const issue = (file: string, subject: string, names: string): Pair => {
    const [cert, key] = [join(folder, `${file}.crt`), join(folder, `${file}.key`)];
    const [request, extensions] = [join(folder, `${file}.csr`), join(folder, `${file}.ext`)];
    const usage = "extendedKeyUsage=serverAuth,clientAuth\n";
    writeFileSync(extensions, names === "" ? usage : `subjectAltName=${names}\n${usage}`);
    openssl("req", ...KEY, "-keyout", key, "-out", request, "-subj", subject);
    const by = ["-CA", ca, "-CAkey", caKey, "-CAcreateserial", "-extfile", extensions];
    openssl("x509", "-req", "-in", request, "-out", cert, "-days", DAYS, ...by);
    return { cert, key };
  };
  return { ca, issue };
}

/** A key pair for signing tokens, as PEM files. */
export function makeKeys(folder: string, file: string): Pair {
  const [cert, key] = [join(folder, `${file}.pub`), join(folder, `${file}.key`)];
  openssl("genrsa", "-out", key, "2048");
  openssl("rsa", "-in", key, "-pubout", "-out", cert);
  return { cert, key };
}

function openssl(...args: readonly string[]): void {
  const { exitCode, stderr } = Bun.spawnSync(["openssl", ...args], { stdin: "ignore" });
  assert(exitCode === 0, `openssl ${args[0]}: ${stderr.toString()}`);
}
