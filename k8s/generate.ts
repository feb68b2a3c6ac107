/** `npm run manifests`: writes what is made of k8s/make and watch/powers.ts. */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { madeFiles } from "./make/files.ts";

const ROOT = join(import.meta.dir, "..");

for (const [path, text] of madeFiles()) {
  mkdirSync(dirname(join(ROOT, path)), { recursive: true });
  writeFileSync(join(ROOT, path), text);
  console.log(path);
}
