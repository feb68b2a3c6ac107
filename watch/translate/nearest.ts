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
    const edits = countEdits(name, other, bestEdits);
    if (edits > bestEdits || (edits === bestEdits && best !== null && best < other)) continue;
    best = other;
    bestEdits = edits;
  }
  return best;
}

/**
 * Optimal string alignment from two places on, up to `max` edits; `max + 1` stands for more. A walk
 * along what is equal, and a few tries where it ends: most names differ in their first letters.
 */
function countEdits(a: string, b: string, max: number, at = { a: 0, b: 0 }): number {
  let { a: i, b: j } = at;
  while (i < a.length && j < b.length && a[i] === b[j]) {
    i++;
    j++;
  }
  if (i === a.length && j === b.length) return 0;
  if (max === 0) return 1;
  const rest = (da: number, db: number): number =>
    i + da > a.length || j + db > b.length
      ? max
      : countEdits(a, b, max - 1, { a: i + da, b: j + db });
  const swapped = i + 1 < a.length && a[i] === b[j + 1] && a[i + 1] === b[j];
  return 1 + Math.min(rest(1, 1), rest(1, 0), rest(0, 1), swapped ? rest(2, 2) : max);
}
