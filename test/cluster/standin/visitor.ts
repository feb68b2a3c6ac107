/** People with curl: what a node's port 80 answers, once or all the time. */

/** `status` and what was read; status 0 with the reason when there was no whole answer. */
export type Visit = Readonly<{ status: number; body: string }>;

/** One request to a node. */
export async function visit(address: string, host: string): Promise<Visit> {
  try {
    const answer = await fetch(`http://${address}/`, { headers: { Host: host } });
    return { status: answer.status, body: await answer.text() };
  } catch (error) {
    return { status: 0, body: (error as Error).message };
  }
}

/** The first word of each of `count` answers in a row, or their status if it is not 200. */
export async function taste(address: string, host: string, count: number): Promise<string[]> {
  const words: string[] = [];
  for (let i = 0; i < count; i++) {
    const { status, body } = await visit(address, host);
    words.push(status === 200 ? body.split(" ")[0]! : String(status));
  }
  return words;
}

/** Whether all that stand in any `size` places in a row are these, in some order. */
export function inAnyRow(
  words: readonly string[],
  size: number,
  these: readonly string[],
): boolean {
  const wanted = [...these].sort().join();
  return words.slice(0, words.length - size + 1).every(
    (_, at) =>
      words
        .slice(at, at + size)
        .sort()
        .join() === wanted,
  );
}

/** Visitors who come back at once, again and again, until `body` is done; what they met. */
export async function visiting(
  [addresses, host]: readonly [readonly string[], string],
  body: () => Promise<void>,
): Promise<{ count: number; failed: Visit[] }> {
  const failed: Visit[] = [];
  let [count, over] = [0, false];
  const come = async (address: string): Promise<void> => {
    while (!over) {
      const met = await visit(address, host);
      count++;
      if (met.status !== 200) failed.push(met);
      // Some pause, so that what changes has a core too.
      await Bun.sleep(1);
    }
  };
  const all = [...addresses, ...addresses].map(come);
  try {
    await body();
  } finally {
    over = true;
    await Promise.all(all);
  }
  return { count, failed };
}
