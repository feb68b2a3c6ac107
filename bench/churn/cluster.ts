/**
 * A small cluster as a folder of manifests: services with pods, hosts with the service they lead
 * to. It remembers what was valid when, so that every answer can be judged.
 */
import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Pod, type Witness } from "./pod.ts";

/** A stretch of time, in milliseconds of `performance.now()`, with both ends. */
type Span = { readonly from: number; to: number };
type Member = { readonly pod: Pod; readonly listed: Span; leaving: boolean; killedAt: number };
type Lead = Span & { readonly service: string };

export class Cluster {
  readonly #folder: string;
  readonly #witness: Witness;
  /** Pods that are in an EndpointSlice, by service. */
  readonly #listed = new Map<string, Member[]>();
  /** Every pod there ever was, by name. */
  readonly #members = new Map<string, Member>();
  readonly #hosts = new Map<string, Lead[]>();
  /** Ports of pods that ended: an address soon belongs to somebody else, as in a real cluster. */
  readonly #freePorts: number[] = [];
  #born = 0;

  constructor(folder: string, witness: Witness) {
    this.#folder = folder;
    this.#witness = witness;
  }

  // === what there is ===

  /** A pod that listens and is not in any slice yet. */
  open(service: string, idleMs = Infinity): Pod {
    const name = `${service}-${++this.#born}`;
    const port = this.#freePorts.shift() ?? 0;
    return new Pod({ name, service, port, idleMs, witness: this.#witness });
  }

  /** Lists a pod as ready. */
  list(pod: Pod): void {
    const listed = { from: performance.now(), to: Infinity };
    const member = { pod, listed, leaving: false, killedAt: Infinity };
    this.#members.set(pod.name, member);
    this.#listed.set(pod.service, [...(this.#listed.get(pod.service) ?? []), member]);
  }

  /** Marks a pod as terminating and still serving. */
  leave(pod: Pod): void {
    this.#members.get(pod.name)!.leaving = true;
  }

  /** Takes a pod out of its slice. */
  unlist(pod: Pod): void {
    const rest = (this.#listed.get(pod.service) ?? []).filter((member) => member.pod !== pod);
    this.#listed.set(pod.service, rest);
  }

  /** From now on no request that begins may reach this pod. */
  retired(pod: Pod): void {
    this.#members.get(pod.name)!.listed.to = performance.now();
  }

  /** The pod is dead at once. Its connections are reset when this returns. */
  kill(pod: Pod): void {
    pod.kill();
    this.#members.get(pod.name)!.killedAt = performance.now();
  }

  /** The pod has ended; its port may be taken by another. */
  freed(pod: Pod): void {
    if (this.#freePorts.length < 16) this.#freePorts.push(pod.port);
  }

  /** Pods of a service that are ready, oldest first. */
  pods(service: string): readonly Pod[] {
    return (this.#listed.get(service) ?? []).filter((each) => !each.leaving).map(({ pod }) => pod);
  }

  /** All pods in slices. */
  everyPod(): readonly Pod[] {
    return [...this.#listed.values()].flat().map(({ pod }) => pod);
  }

  /** Points a host at a service. The old one stays valid until `settled`. */
  lead(host: string, service: string): void {
    const leads = this.#hosts.get(host) ?? [];
    leads.push({ service, from: performance.now(), to: Infinity });
    this.#hosts.set(host, leads.slice(-8));
  }

  /** From now on only the last service a host was pointed at is valid. */
  settled(host: string): void {
    const now = performance.now();
    for (const lead of (this.#hosts.get(host) ?? []).slice(0, -1)) lead.to = Math.min(lead.to, now);
  }

  /** Where a host leads. */
  serviceOf(host: string): string {
    return this.#hosts.get(host)!.at(-1)!.service;
  }

  // === what may be ===

  /** "" when a pod may have answered a request to `host` that ran in this span, or why not. */
  verdict(host: string, name: string, span: Span): string {
    const member = this.#members.get(name);
    if (member === undefined) return `an answer of an unknown pod ${name}`;
    if (member.listed.to < span.from) return "an answer of a pod that had been retired";
    const { service } = member.pod;
    const valid = (this.#hosts.get(host) ?? []).some(
      (lead) => lead.service === service && lead.from <= span.to && lead.to >= span.from,
    );
    return valid ? "" : "an answer of a service that the host did not lead to";
  }

  /** Whether a pod behind `host` was killed while a request ran. */
  killedIn(host: string, span: Span): boolean {
    const service = this.serviceOf(host);
    for (const { pod, killedAt } of this.#members.values()) {
      if (pod.service === service && killedAt >= span.from && killedAt <= span.to) return true;
    }
    return false;
  }

  /** Forgets pods that were gone for a minute: nothing runs that long. */
  forget(): void {
    const old = performance.now() - 60_000;
    for (const [name, { listed, killedAt }] of this.#members) {
      if (Math.min(listed.to, killedAt) < old) this.#members.delete(name);
    }
  }

  // === as manifests ===

  /** Writes a service with its slices. */
  writeService(name: string): void {
    const labels = { "kubernetes.io/service-name": name };
    const service = {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name },
      spec: { ports: [{ port: 80 }] },
    };
    // One slice a pod: all pods share an address here, and a slice has one port for all.
    const slices = (this.#listed.get(name) ?? []).map(({ pod, leaving }) => ({
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      metadata: { name: pod.name, labels },
      addressType: "IPv4",
      ports: [{ port: pod.port }],
      endpoints: [
        {
          addresses: ["127.0.0.1"],
          targetRef: { kind: "Pod", name: pod.name, uid: pod.name },
          conditions: { ready: !leaving, serving: true, terminating: leaving },
        },
      ],
    }));
    this.writeText(`service-${name}`, listOf([service, ...slices]));
  }

  /** Writes the Ingress of a host. */
  writeHost(host: string): void {
    const service = { name: this.serviceOf(host), port: { number: 80 } };
    const path = { path: "/", pathType: "Prefix", backend: { service } };
    const ingress = {
      apiVersion: "networking.k8s.io/v1",
      kind: "Ingress",
      metadata: { name: host.replaceAll(".", "-") },
      spec: { rules: [{ host, http: { paths: [path] } }] },
    };
    this.writeText(`host-${host}`, listOf([ingress]));
  }

  /** Replaces a file as a careful editor does: all of it at once. */
  writeText(name: string, text: string): void {
    const hidden = join(this.#folder, `.${name}.tmp`);
    writeFileSync(hidden, text);
    renameSync(hidden, join(this.#folder, `${name}.json`));
  }

  /** Replaces a file as a careless one does: in place, half of it now and never the rest. */
  breakService(name: string): void {
    writeFileSync(join(this.#folder, `service-${name}.json`), `{"kind": "List", "items": [{"ap`);
  }
}

function listOf(items: readonly object[]): string {
  return JSON.stringify({ apiVersion: "v1", kind: "List", items }, null, 1);
}
