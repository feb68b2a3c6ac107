/** The same bytes on a socket, cut into writes in different ways: the outcome must not differ. */
import type { Random } from "../core/http1/test/cuts.cases.ts";
import type { Peer } from "./peer.ts";

/** Up to this many bytes a message is also sent byte by byte. */
const SINGLES_MAX = 2_048;

/** Ends of the writes, ascending; the last one is the end of the bytes. */
export type Cut = readonly number[];

/** In one write; in writes of one byte, when that is quick; and at three random splits. */
export function replays(length: number, random: Random): readonly Cut[] {
  const cuts: Cut[] = [[length]];
  if (length <= SINGLES_MAX) cuts.push(Array.from({ length }, (_, at) => at + 1));
  for (let i = 0; i < 3; i++) {
    const ends = new Set([length]);
    for (let left = 1 + random(5); left > 0; left--) ends.add(1 + random(length));
    cuts.push([...ends].sort((a, b) => a - b));
  }
  return cuts;
}

/** Sends `bytes` (latin1), a write and a turn of the loop for each piece. */
export async function sendCut(peer: Peer, bytes: string, cut: Cut): Promise<void> {
  let from = 0;
  for (const end of cut) {
    if (peer.closed) return;
    peer.send(bytes.slice(from, end));
    from = end;
    if (end < bytes.length) await new Promise((resolve) => setImmediate(resolve));
  }
}

/** How a cut is shown. */
export function showCut(cut: Cut): string {
  const shown = cut.slice(0, 12).join(", ");
  return `writes up to ${cut.length > 12 ? `${shown}, …` : shown}`;
}
