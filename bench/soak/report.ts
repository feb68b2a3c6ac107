/** The end of a soak, in lines: one a process and quantity, then what is wrong. */
import type { Sample, Series } from "./samples.ts";
import { trendOf } from "./trend.ts";

/** A worker younger than this at the end was not there for the soak. */
const SAMPLES_MIN = 10;

type Report = Readonly<{ lines: readonly string[]; wrong: readonly string[] }>;

/** Trends of every process under load. Memory that grows is wrong; so are too many processes. */
export function report(all: readonly Series[], workers: number): Report {
  const lines = [
    "process               start        end        min        max      slope/min    growth",
  ];
  const wrong: string[] = [];
  const seen = all.filter(({ role }) => role === "worker").length;
  if (seen > workers) wrong.push(`${seen - workers} more processes than the ${workers} workers`);
  for (const { pid, role, samples } of all) {
    if (samples.length < SAMPLES_MIN) continue;
    const name = `${role} ${pid}`;
    const rss = line(samples, name, "rssKib");
    const heap = line(samples, name, "heapKib");
    lines.push(
      rss.text,
      heap.text,
      line(samples, name, "fds").text,
      line(samples, name, "sockets").text,
    );
    if (rss.grows) wrong.push(`${name}: its memory grows`);
    if (heap.grows) wrong.push(`${name}: its heap grows`);
  }
  return { lines, wrong };
}

function line(
  samples: readonly Sample[],
  name: string,
  what: "rssKib" | "heapKib" | "fds" | "sockets",
): Readonly<{ text: string; grows: boolean }> {
  const points = samples.map((sample) => ({ minute: sample.minute, value: sample[what] }));
  // The heap is a small part of a process, and its waves are long: it counts as that part.
  const whole = what === "heapKib" ? samples.at(-1)!.rssKib : undefined;
  const { start, end, min, max, slope, growth, verdict } = trendOf(points, whole);
  const unit = what.endsWith("Kib") ? " KiB" : "";
  const column = (value: number) => `${value}${unit}`.padStart(11);
  const head = `${name.padEnd(18)}${what.replace("Kib", "")}`.padEnd(26).slice(0, 26);
  const share = `${(growth * 100).toFixed(1)} %`.padStart(9);
  const rate = `${slope.toFixed(1)}${unit}`.padStart(13);
  const text = `${head}${[start, end, min, max].map(column).join("")}${rate}${share}  ${verdict}`;
  return { text, grows: verdict === "grows" };
}
