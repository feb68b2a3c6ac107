/**
 * Shared cursors: one page of int32 counters that every worker maps, so that a split is exact over
 * all workers together and not only within each of them. The file has no name: it is unlinked as
 * soon as it is open, and a worker inherits the descriptor.
 */
import { closeSync, openSync, unlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { CURSORS_FD } from "./launch.ts";

/** How many splits can be shared; beyond it a worker counts alone. */
const CURSORS_MAX = 65_536;
const CURSOR_BYTES = 4;
/** Memory before disk: a counter on a disk would be written back every few seconds. */
const FOLDERS = ["/dev/shm", tmpdir()];

/** A descriptor of the open file, or the reason why there is none. The caller closes it. */
export type Opened = Readonly<{ ok: true; fd: number } | { ok: false; reason: string }>;
type Mapped = Readonly<{ ok: true; cursors: Int32Array } | { ok: false; reason: string }>;

/** Makes the file (256 KiB, mode 0600, zeros) in the supervisor; it lives as long as `fd`. */
export function openCursors(folders: readonly string[] = FOLDERS): Opened {
  let reason = "no folder to make it in";
  for (const folder of folders) {
    const opened = openIn(folder);
    if (opened.ok) return opened;
    reason = opened.reason;
  }
  return { ok: false, reason };
}

/** Maps the inherited file in a worker, shared: `Atomics` on it work across processes. */
export function mapCursors(path = `/proc/self/fd/${CURSORS_FD}`): Mapped {
  try {
    const bytes = Bun.mmap(path, { shared: true });
    const cursors = new Int32Array(bytes.buffer, bytes.byteOffset, CURSORS_MAX);
    return { ok: true, cursors };
  } catch (error) {
    return { ok: false, reason: String(error) };
  }
}

function openIn(folder: string): Opened {
  const path = `${folder}/rind-cursors-${process.pid}-${Bun.randomUUIDv7()}`;
  try {
    // Exclusive: a file or a link that somebody put there first is refused, not followed.
    const fd = openSync(path, "wx+", 0o600);
    try {
      unlinkSync(path);
      // Written and not just extended: a full file system must fail here, not as SIGBUS later.
      writeFileSync(fd, new Uint8Array(CURSORS_MAX * CURSOR_BYTES));
      return { ok: true, fd };
    } catch (error) {
      closeSync(fd);
      return { ok: false, reason: String(error) };
    }
  } catch (error) {
    return { ok: false, reason: String(error) };
  }
}
