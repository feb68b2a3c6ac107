/** What has been told: findings by where they come from. */
import { type Finding, newIn } from "./finding.ts";

/** Each list is another one when it changed: of the source, of rind itself, of time, of objects. */
export type Told = Readonly<Record<"source" | "bugs" | "expiry" | "objects", readonly Finding[]>>;

/** Before anything was said. */
export const NOTHING_TOLD: Told = { source: [], bugs: [], expiry: [], objects: [] };

/** Whether there is nothing to tell. */
export function sameTold(one: Told, other: Told): boolean {
  const { source, bugs, expiry, objects } = one;
  const same = source === other.source && bugs === other.bugs && expiry === other.expiry;
  return same && objects === other.objects;
}

/** What was not told the last time. `fresh` are those of the objects, as translate knows them. */
export function freshOf(now: Told, last: Told, fresh: readonly Finding[]): readonly Finding[] {
  return [
    ...newIn(now.source, last.source),
    ...newIn(now.bugs, last.bugs),
    ...newIn(now.expiry, last.expiry),
    ...(now.objects === last.objects ? [] : fresh),
  ];
}
