/** An API server in memory for the tests of reporting: what is written, and what is answered. */
import { type FakeClock, fakeClock } from "../../../core/clock.ts";
import type { ApiAnswer, ApiClient, ApiEvents, ApiRequest } from "../../source/api/api.ts";
import type { IngressStatus } from "../../source/api/status.ts";
import type { Finding } from "../../finding.ts";

type Sent = Readonly<{ at: number; request: ApiRequest }>;

/** `rules` are asked in turn for an answer; where none has one, it is 200 with an empty object. */
export type Cluster = Readonly<{
  api: ApiClient;
  clock: FakeClock;
  sent: Sent[];
  rules: ((request: ApiRequest) => ApiAnswer | Promise<ApiAnswer> | null)[];
  /** Watches that are open, by path. */
  streams: Map<string, ApiEvents>;
  /** Lets time pass in small steps, and what is asked be answered in between. */
  pass: (ms: number) => Promise<void>;
}>;

const STEP_MS = 10;

export function cluster(clock = fakeClock()): Cluster {
  const sent: Sent[] = [];
  const rules: Cluster["rules"] = [];
  const streams: Cluster["streams"] = new Map();
  const api: ApiClient = {
    ask: async (request) => {
      sent.push({ at: clock.now(), request });
      for (const rule of rules) {
        const answer = rule(request);
        if (answer !== null) return await answer;
      }
      return { ok: true, status: 200, body: {} };
    },
    stream: (request, events) => {
      streams.set(request.path, events);
      events.opened();
      return () => void streams.delete(request.path);
    },
  };
  const pass = async (ms: number): Promise<void> => {
    await settle();
    for (let left = ms; left > 0; left -= STEP_MS) {
      clock.advance(Math.min(left, STEP_MS));
      await settle();
    }
  };
  return { api, clock, sent, rules, streams, pass };
}

/** Lets everything that waits for an answer go on. */
async function settle(): Promise<void> {
  for (let i = 0; i < 12; i++) await Promise.resolve();
}

export function failure(status: number, reason = `refused with ${status}`): ApiAnswer {
  return { ok: false, status, reason, retryAfterMs: null, body: null };
}

/** What an API server says when a webhook that it asks about this object is broken. */
export function breakdown(reason = "failed calling webhook"): ApiAnswer {
  return { ok: false, status: 500, reason, retryAfterMs: null, body: { kind: "Status" } };
}

export function status(version: number, ...ips: readonly string[]): IngressStatus {
  return {
    uid: "u1",
    resourceVersion: String(version),
    ingress: ips.map((ip) => ({ ip })),
  };
}

export function finding(name: string, more: Partial<Finding> = {}): Finding {
  const of = { kind: "Ingress", namespace: "shop", name, field: "spec.rules" };
  return { level: "error", ...of, reason: "is odd", hint: "", effect: "", ...more };
}
