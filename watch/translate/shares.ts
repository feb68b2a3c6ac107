/**
 * Who gets which share of a path, by Traefik 1.7's rules for `service-weights` (its
 * weight_allocator.go), with exact numbers where Traefik cuts: percentages are whole thousandths,
 * and what remains for services without one is divided as fractions.
 */
import type { Weighted } from "../../core/model.ts";
import { isFields, shown } from "../objects.ts";
import { type Parsed, clip, quote } from "./read.ts";

/** 100 %, in thousandths of a percent. */
const WHOLE = 100_000;

/** Sum of the weights times their number: a schedule multiplies them, and must not round. */
const UNITS_MAX = 2 ** 49;

const FINE_HINT = "give every service on this path a percentage of its own";
const HINT = "make them add up to 100%, or leave out the service that is to take the rest";

/** Digits with an optional fraction and an optional percent sign, as in `50`, `50%`, `0.1 %`. */
const PERCENT = /^(\d{1,9})?(?:\.(\d*))?\s*%?$/;

/**
 * What the annotation says: by service, its share in thousandths of a percent, or why that entry
 * is none. `unreadable`: the annotation as a whole is no map, which has been remarked.
 */
export type Weights = Readonly<{
  unreadable: boolean;
  shares: ReadonlyMap<string, number | string>;
}>;

/** A backend that shares a path. `pods` counts its ready endpoints. */
export type Member = Readonly<{ service: string; backend: string; pods: number }>;

/** How a path is divided, or the rule that its weights break and how to mend them. */
export type Division =
  | Readonly<{ ok: true; value: readonly Weighted[] }>
  | Readonly<{ ok: false; reason: string; hint: string }>;

/** Reads the YAML map from service to percentage. A bad entry spoils only the paths it is about. */
export function parseWeights(raw: string): Parsed<Weights> {
  const parsed = parseYaml(raw);
  if (!parsed.ok) return parsed;
  if (parsed.value === null) return { ok: true, value: { unreadable: false, shares: new Map() } };
  if (!isFields(parsed.value)) {
    return { ok: false, reason: "expected a map such as `cheddar: 50%`, one service a line" };
  }
  const shares = new Map<string, number | string>();
  for (const [service, value] of Object.entries(parsed.value)) {
    const share = parsePercent(value);
    shares.set(service, share.ok ? share.value : `the weight of ${clip(service)} ${share.reason}`);
  }
  return { ok: true, value: { unreadable: false, shares } };
}

/**
 * Divides a path between its members, each backend once. Services with a percentage get exactly
 * that; the others share what remains in proportion to their pods. Weights are whole, exact and as
 * small as they can be.
 */
export function divide(members: readonly Member[], weights: Weights): Division {
  if (weights.unreadable) return refuse("the service weights cannot be read", "");
  const groups = group(members, weights);
  let sum = 0;
  for (const service of groups.keys()) {
    if (service === null) continue;
    const share = weights.shares.get(service);
    if (typeof share === "string") return refuse(share, "");
    sum += share ?? 0;
  }
  const rest = groups.get(null) ?? [];
  const total = `the weights of the services on this path add up to ${sum / 1_000}%`;
  if (sum > WHOLE) return refuse(`${total}, more than 100%`, HINT);
  if (sum < WHOLE && rest.length === 0) {
    return refuse(`${total}, and none is left to take the rest`, HINT);
  }
  const parts: Part[] = [];
  for (const [service, group] of groups) {
    const share = service === null ? WHOLE - sum : weights.shares.get(service);
    parts.push(...spread(group, typeof share === "number" ? share : 0));
  }
  const split = order(members, reduce(parts));
  const units = split.reduce((total, { weight }) => total + weight, 0) * split.length;
  if (units <= UNITS_MAX) return { ok: true, value: split };
  return refuse("the shares of the services on this path are too fine to be exact", FINE_HINT);
}

function refuse(reason: string, hint: string): Division {
  return { ok: false, reason, hint };
}

type Part = Readonly<{ backend: string; over: bigint; under: bigint }>;

/** Members by service; those of all services without a percentage stand under null. */
function group(members: readonly Member[], weights: Weights): Map<string | null, Member[]> {
  const groups = new Map<string | null, Member[]>();
  for (const member of members) {
    const service = weights.shares.has(member.service) ? member.service : null;
    const group = groups.get(service);
    if (group === undefined) groups.set(service, [member]);
    else group.push(member);
  }
  return groups;
}

/** A share over a group, by pods; evenly when there are none, so that it is not lost. */
function spread(group: readonly Member[], share: number): readonly Part[] {
  const pods = group.reduce((sum, member) => sum + member.pods, 0);
  return group.map((member) => ({
    backend: member.backend,
    over: BigInt(share) * BigInt(pods === 0 ? 1 : member.pods),
    under: BigInt(pods === 0 ? group.length : pods),
  }));
}

/** Fractions to whole weights in the same proportions, as small as possible. */
function reduce(parts: readonly Part[]): ReadonlyMap<string, number> {
  let scale = 1n;
  for (const { over, under } of parts) {
    const rest = under / gcd(over, under);
    scale = (scale / gcd(scale, rest)) * rest;
  }
  const scaled = parts.map((part) => (part.over * scale) / part.under);
  const common = scaled.reduce(gcd, 0n);
  return new Map(parts.map((part, i) => [part.backend, Number(scaled[i]! / common)]));
}

function order(members: readonly Member[], weights: ReadonlyMap<string, number>): Weighted[] {
  return members.map(({ backend }) => ({ backend, weight: weights.get(backend) ?? 0 }));
}

function gcd(a: bigint, b: bigint): bigint {
  while (b !== 0n) [a, b] = [b, a % b];
  return a;
}

/** Three decimals count, further ones are cut, as Traefik does. `0.1` is a tenth of a percent. */
function parsePercent(value: unknown): Parsed<number> {
  const raw = typeof value === "number" ? plain(value) : typeof value === "string" ? value : "";
  const match = PERCENT.exec(raw.trim());
  const whole = match?.[1] ?? "";
  const fraction = match?.[2] ?? "";
  if (match === null || whole + fraction === "") {
    // Not the text of a tree: YAML can tie one into a circle.
    const found = typeof value === "string" ? quote(value) : shown(value);
    return { ok: false, reason: `is ${found}, expected a percentage such as 25%` };
  }
  const thousandths = fraction.slice(0, 3).padEnd(3, "0");
  return { ok: true, value: Number(whole === "" ? "0" : whole) * 1_000 + Number(thousandths) };
}

/** A number without an exponent: one that is written with a negative one is below a thousandth. */
function plain(value: number): string {
  const raw = String(value);
  return raw.includes("e-") && value > 0 ? "0" : raw;
}

function parseYaml(raw: string): Parsed<unknown> {
  try {
    return { ok: true, value: Bun.YAML.parse(raw) };
  } catch (error) {
    return { ok: false, reason: `is not YAML: ${String(error).replace(/^.*error: /i, "")}` };
  }
}
