/** Walks the rows of every dialect over the annotations of one Ingress. */
import { type Asked, BLOCKED, type Dialect, type Row, askedOf } from "./dialects/dialect.ts";
import { NGINX } from "./dialects/nginx.ts";
import { RIND } from "./dialects/rind.ts";
import { TRAEFIK } from "./dialects/traefik.ts";
import { nearest } from "./nearest.ts";
import { type Field, clip, quote } from "./read.ts";

/** Later dialects win where two ask for the same thing: rind's own has the last word. */
const DIALECTS: readonly Dialect[] = [NGINX, TRAEFIK, RIND];

type Written = Readonly<{ key: string; raw: string }>;

/**
 * What the annotations ask for. An unknown name under a known prefix, a bad value, and a known
 * annotation that is not supported yet are remarked; one that protects the Ingress blocks it.
 */
export function readAnnotations(
  ingress: Field,
  annotations: ReadonlyMap<string, string>,
): Readonly<Asked> {
  const asked = askedOf();
  for (const dialect of DIALECTS) {
    for (const [name, written] of collect(ingress, annotations, dialect)) {
      const row = dialect.rows.get(name.replace(/\.domains\.\d+\./, ".domains.N."));
      if (row === undefined) readUnknown(ingress, dialect, { name, ...written }, asked);
      else readRow(ingress, row, written, asked);
    }
  }
  return asked;
}

/** The annotations of a dialect by name. Where two prefixes set one name, the later prefix wins. */
function collect(
  ingress: Field,
  annotations: ReadonlyMap<string, string>,
  dialect: Dialect,
): ReadonlyMap<string, Written> {
  const found = new Map<string, Written>();
  for (const prefix of dialect.prefixes) {
    for (const [key, raw] of annotations) {
      if (!key.startsWith(prefix)) continue;
      const name = key.slice(prefix.length);
      const loser = found.get(name);
      if (loser !== undefined && loser.raw !== raw) {
        const reason = `differs from ${clip(key)}, which wins`;
        ingress.remark({ level: "warning", field: fieldOf(loser.key), reason, effect: "ignored" });
      }
      found.set(name, { key, raw });
    }
  }
  return found;
}

function readRow(ingress: Field, row: Row, written: Written, asked: Asked): void {
  const field = fieldOf(written.key);
  const value = written.raw.replace(/\s/g, "");
  if (row.kind === "applied") {
    if (row.locks && value === "") return;
    const reason = row.read(written.raw, asked, written.key);
    if (reason === "") return;
    if (row.locks && asked.blocked === "") asked.blocked = `${clip(written.key)}: ${reason}`;
    return ingress.remark({ field, reason, effect: row.bad });
  }
  const same = value.toLowerCase();
  if (value === "" || row.harmless.some((harmless) => harmless.toLowerCase() === same)) return;
  if (row.open(value)) return;
  // Values that are not one of a few words can hold passwords, and findings are read by many.
  const shown = row.harmless.length === 0 ? "" : `${quote(value)} `;
  const what = `${shown}is not supported yet: ${row.doc.replace(/\.$/, "")}`;
  if (row.kind === "guard") {
    const hint = "remove it if the paths may be served without it";
    block(ingress, asked, written.key, { reason: what, hint });
  } else if (row.kind === "withheld") {
    asked.withheld = true;
    ingress.remark({ field, reason: what, effect: "nothing of this Ingress is served" });
  } else {
    const effect = "served as if it were not set";
    ingress.remark({ level: "warning", field, reason: what, effect });
  }
}

function readUnknown(
  ingress: Field,
  dialect: Dialect,
  written: Written & { name: string },
  asked: Asked,
): void {
  const near = nearest(written.name, dialect.rows.keys());
  const prefix = written.key.slice(0, written.key.length - written.name.length);
  const hint = near === null ? "" : `did you mean ${prefix}${near}?`;
  // A misspelled lock is still a lock: whoever wrote it did not mean to leave the door open.
  const guards =
    dialect.alike.some((start) => written.name.startsWith(start)) ||
    (near !== null && guarding(dialect.rows.get(near)));
  if (guards) {
    const reason = "is unknown, and its name says that it restricts access";
    block(ingress, asked, written.key, { reason, hint });
    return;
  }
  const reason = "is not an annotation that rind knows";
  const field = fieldOf(written.key);
  ingress.remark({ level: "warning", field, reason, hint, effect: "ignored" });
}

function guarding(row: Row | undefined): boolean {
  return row?.kind === "guard" || (row?.kind === "applied" && row.locks);
}

function block(
  ingress: Field,
  asked: Asked,
  key: string,
  why: Readonly<{ reason: string; hint: string }>,
): void {
  if (asked.blocked === "") asked.blocked = `${clip(key)} is not supported`;
  ingress.remark({ field: fieldOf(key), ...why, effect: BLOCKED });
}

function fieldOf(key: string): string {
  return `metadata.annotations[${clip(key)}]`;
}
