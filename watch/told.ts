/** What has been told: findings by where they come from. */
import { type Finding, newIn } from "./finding.ts";

/** Each list is another one when it changed: those of the source, of rind itself, of objects. */
export type Told = Readonly<Record<"source" | "bugs" | "objects", readonly Finding[]>>;

/** Whether there is nothing to tell. */
export function sameTold(one: Told, other: Told): boolean {
  const { source, bugs, objects } = one;
  return source === other.source && bugs === other.bugs && objects === other.objects;
}

/** What was not told the last time. `fresh` are those of the objects, as translate knows them. */
export function freshOf(now: Told, last: Told, fresh: readonly Finding[]): readonly Finding[] {
  return [
    ...newIn(now.source, last.source),
    ...newIn(now.bugs, last.bugs),
    ...(now.objects === last.objects ? [] : fresh),
  ];
}
