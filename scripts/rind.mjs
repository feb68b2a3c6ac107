#!/usr/bin/env node
/** The command `rind` as npm installs it: rind.ts on the pinned Bun, in the caller's folder. */
import { join } from "node:path";
import { launch, ROOT } from "./bun.mjs";

// The folder rind is called in may hold a .env or a bunfig.toml of something else.
const flags = ["--no-install", "--no-env-file", `--config=${join(ROOT, "bunfig.toml")}`];
await launch([...flags, join(ROOT, "rind.ts"), ...process.argv.slice(2)]);
