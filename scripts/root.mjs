#!/usr/bin/env node
/**
 * Lays out what an image of rind holds: `node scripts/root.mjs DIR`. No distribution is under it:
 * the binary, the C library it was linked for, and the few files that programs look for anywhere.
 */
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  cpSync,
  mkdirSync,
  readdirSync,
  realpathSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { ROOT } from "./bun.mjs";
import { compile } from "./compile.mjs";

/** Who rind is in an image, as in those of other projects. */
const UID = 65532;
const FILES = {
  "etc/passwd": `root:x:0:0:root:/:/sbin/nologin\nrind:x:${UID}:${UID}:rind:/:/sbin/nologin\n`,
  "etc/group": `root:x:0:\nrind:x:${UID}:\n`,
  "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
};
/** Where distributions keep the certificates that everybody trusts. */
const CERTIFICATES = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"];
/** Permitted, not effective: core/capability.ts says why. */
const CAPABILITY = "cap_net_bind_service=+p";

/** Fills an empty folder. Needs the right to give a file a capability: root has it. Throws. */
export async function layRoot(folder) {
  if (process.platform !== "linux") {
    throw new Error(
      `an image holds Linux, and this is ${process.platform}: build without --scratch`,
    );
  }
  mkdirSync(folder, { recursive: true });
  if (readdirSync(folder).length > 0) throw new Error(`${folder} is not empty`);
  const binary = join(folder, "rind");
  await compile(binary);
  for (const library of librariesOf(binary)) copy(library, join(folder, library));
  for (const [path, text] of Object.entries(FILES)) write(join(folder, path), text);
  copy(CERTIFICATES.find(isThere) ?? CERTIFICATES[0], join(folder, CERTIFICATES[0]));
  // `docker run` without a volume serves the lesson.
  cpSync(join(ROOT, "k8s", "examples"), join(folder, "manifests"), { recursive: true });
  mkdirSync(join(folder, "tmp"));
  openToAll(folder);
  chmodSync(join(folder, "tmp"), 0o1777);
  // Last: writing to a file takes its capability away.
  allowLowPorts(binary);
}

/** The paths of the libraries and of the loader, as `ldd` finds them. */
function librariesOf(binary) {
  const told = execFileSync("ldd", [binary], { encoding: "utf8" });
  const paths = [...told.matchAll(/(?:^|=>)\s+(\/\S+)/gm)].map((match) => match[1]);
  if (paths.length === 0) throw new Error(`ldd names no library of ${binary}:\n${told}`);
  return paths;
}

/** So that a user who is not root may listen on ports 80 and 443. */
function allowLowPorts(binary) {
  try {
    execFileSync("setcap", [CAPABILITY, binary], {
      env: { ...process.env, PATH: `${process.env.PATH ?? ""}:/usr/sbin:/sbin` },
      stdio: ["ignore", "pipe", "pipe"],
    });
  } catch (error) {
    const why = error.code === "ENOENT" ? "there is no setcap (libcap2-bin)" : error.message.trim();
    throw new Error(`${why}\nAs root, or under "buildah unshare", files can be given capabilities`);
  }
}

/** Whatever the umask here, and the modes in the checkout: everybody may read and nobody write. */
function openToAll(folder) {
  const paths = readdirSync(folder, { recursive: true }).map((path) => join(folder, path));
  for (const path of [folder, ...paths]) {
    chmodSync(path, (statSync(path).mode & 0o111) === 0 ? 0o644 : 0o755);
  }
}

/** What a link leads to is copied under the name of the link. */
function copy(from, to) {
  mkdirSync(dirname(to), { recursive: true });
  copyFileSync(from, to);
}

function write(path, text) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

function isThere(path) {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}

const entry = process.argv[1];
if (entry && realpathSync(entry) === fileURLToPath(import.meta.url)) {
  try {
    if (process.argv[2] === undefined) throw new Error("root.mjs: which folder? Give DIR");
    await layRoot(resolve(process.argv[2]));
  } catch (error) {
    process.stderr.write(`rind: ${error.message}\n`);
    process.exit(1);
  }
}
