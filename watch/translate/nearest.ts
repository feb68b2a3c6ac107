/** "Did you mean": the nearest known name to one that is not known. */

/** Most edits between a name and a suggestion for it. */
const EDITS_MAX = 2;
/** Longest name that is compared; Kubernetes names and annotation keys end at 253. */
const NAME_MAX = 253;

/**
 * The name nearest to `name`, at most two edits away (insert, delete, replace, or swap two
 * neighbours), first in alphabet among equals; null when there is none.
 */
export function nearest(name: string, known: Iterable<string>): string | null {
  if (name.length > NAME_MAX) return null;
  let best: string | null = null;
  // Fewer edits than letters: otherwise every short name resembles every other one.
  let bestEdits = Math.min(EDITS_MAX, name.length - 1);
  for (const other of known) {
    if (other === name || Math.abs(other.length - name.length) > bestEdits) continue;
    const edits = countEdits(name, other);
    if (edits > bestEdits || (edits === bestEdits && best !== null && best < other)) continue;
    best = other;
    bestEdits = edits;
  }
  return best;
}

/** Optimal string alignment: three rows of the usual table are alive at a time. */
function countEdits(a: string, b: string): number {
  let older: number[] = [];
  let prev = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let edits = Math.min(prev[j]! + 1, row[j - 1]! + 1, prev[j - 1]! + (same ? 0 : 1));
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (swapped) edits = Math.min(edits, older[j - 2]! + 1);
      row.push(edits);
    }
    older = prev;
    prev = row;
  }
  return prev[b.length]!;
}
