/**
 * Programmer errors only: a broken invariant of rind itself. What peers and users send is never
 * asserted on; it is a fault (core/fault.ts) or a finding.
 */
export function assert(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Error(`assertion failed: ${what}`);
}

/** Ends a `switch` over a closed union: a forgotten case becomes a compile error at the call. */
export function unreachable(value: never): never {
  throw new Error(`unreachable: ${JSON.stringify(value)}`);
}
