/** A lock between processes: a file that names the one that has it. */
import { readFileSync, rmSync, writeFileSync } from "node:fs";

const POLL_MS = 250;

/**
 * Waits until `file` is ours; the answer gives it back. The file of a process that is gone does not
 * count. Two that find such a file in the same moment may both go on: what the lock guards ends in
 * one rename, which bears that.
 */
export async function lock(file: string): Promise<() => void> {
  while (!take(file)) await Bun.sleep(POLL_MS);
  return () => rmSync(file, { force: true });
}

function take(file: string): boolean {
  try {
    writeFileSync(file, String(process.pid), { flag: "wx" });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
  if (!alive(file)) rmSync(file, { force: true });
  return false;
}

function alive(file: string): boolean {
  try {
    const pid = Number(readFileSync(file, "utf8"));
    // A file without a number yet is being written.
    return pid === 0 || process.kill(pid, 0);
  } catch (error) {
    // Not ours to signal, or given back just now: another look decides.
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
}
