/** What the admin address answers: one row a path. Reading only; nothing here changes anything. */
import { certificatesJson, clusterJson, findingsJson, modelJson, readinessJson } from "./json.ts";
import { metricsText } from "./metrics.ts";
import { describe } from "../watch/translate/describe.ts";
import type { Readiness } from "./json.ts";
import type { Model, SecureHost } from "../core/model.ts";
import type { Finding } from "../watch/finding.ts";
import type { CertificateFacts } from "../watch/translate/certificates.ts";

/** What the admin API may see: always the latest, never kept. */
export type View = Readonly<{
  model: () => Model;
  findings: () => readonly Finding[];
  certificates: () => readonly CertificateFacts[];
  readiness: () => Readiness;
  /** How often each fault, by its id, has happened. */
  faults: () => readonly number[];
}>;

type Row = Readonly<{ doc: string; answer: (request: Request, view: View) => Response }>;

const TEXT_TYPE = "text/plain; charset=utf-8";
const JSON_TYPE = "application/json";
/** What Prometheus sends for and expects. */
const METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8";
const HTML_TYPE = "text/html; charset=utf-8";

const ROWS: ReadonlyMap<string, Row> = new Map<string, Row>([
  ["/", { doc: "this page", answer: (_request, view) => page(view) }],
  ["/livez", { doc: "200 while the process answers", answer: () => reply("ok\n", TEXT_TYPE) }],
  [
    "/readyz",
    {
      doc: "200 while every worker has a table and traffic is welcome, else 503; says why",
      answer: (_request, view) => {
        const readiness = view.readiness();
        return reply(`${readinessJson(readiness)}\n`, JSON_TYPE, readiness.ready ? 200 : 503);
      },
    },
  ],
  [
    "/metrics",
    {
      doc: "the same in numbers, for Prometheus",
      answer: (_request, view) => reply(metricsText(view), METRICS_TYPE),
    },
  ],
  [
    "/api/cluster",
    {
      doc: "the API server: what is followed, how late it is, and who reports",
      answer: (_request, view) =>
        reply(`${clusterJson({ cluster: view.readiness().cluster })}\n`, JSON_TYPE),
    },
  ],
  [
    "/api/routes",
    { doc: "what is served, as text or, with Accept: application/json, as JSON", answer: routes },
  ],
  [
    "/api/certificates",
    {
      doc: "what is shown to clients that ask for a name: for which, by whom, and until when",
      answer: (_request, view) =>
        reply(`${certificatesText(view.certificates(), view.model().secure)}\n`, JSON_TYPE),
    },
  ],
  [
    "/api/findings",
    {
      doc: "what is wrong in the objects that rind reads",
      answer: (_request, view) => reply(`${findingsText(view.findings())}\n`, JSON_TYPE),
    },
  ],
]);

const routesText = remembered(describe);
const routesJson = remembered(modelJson);
const certificatesText = remembered(describeCertificates);
const findingsText = remembered((findings: readonly Finding[]) => findingsJson({ findings }));

/**
 * Makes the same text of the same things once: the address may be open to all pods, and what is
 * made of a large cluster takes the time of fifty changes. Made of another list of equal things is
 * the same.
 */
function remembered<Things extends readonly unknown[]>(make: (...things: Things) => string) {
  let last: Readonly<{ things: Things; text: string }> | null = null;
  return (...things: Things): string => {
    if (last !== null && things.every((thing, i) => alike(thing, last?.things[i])))
      return last.text;
    last = { things, text: make(...things) };
    return last.text;
  };
}

function alike(one: unknown, other: unknown): boolean {
  if (one === other) return true;
  if (!Array.isArray(one) || !Array.isArray(other) || one.length !== other.length) return false;
  return one.every((item, i) => item === other[i]);
}

function describeCertificates(
  certificates: readonly CertificateFacts[],
  secure: readonly SecureHost[],
): string {
  const hosts = Map.groupBy(
    secure.flatMap(({ name, certificates: ids }) => ids.map((id) => ({ id, name }))),
    ({ id }) => id,
  );
  return certificatesJson({
    certificates: certificates.map(({ id, key, names, notBeforeMs, notAfterMs }) => ({
      id,
      keyType: key,
      names,
      hosts: (hosts.get(id) ?? []).map(({ name }) => name),
      notBefore: new Date(notBeforeMs).toISOString(),
      notAfter: new Date(notAfterMs).toISOString(),
    })),
  });
}

/** Answers one request: GET and HEAD only; an unknown path is 404 with the paths there are. */
export function answer(request: Request, view: View): Response {
  if (request.method !== "GET" && request.method !== "HEAD") {
    const refused = reply("only GET and HEAD\n", TEXT_TYPE, 405);
    refused.headers.set("allow", "GET, HEAD");
    return refused;
  }
  const row = ROWS.get(pathOf(request.url));
  if (row !== undefined) return row.answer(request, view);
  return reply(`not here; there is ${[...ROWS.keys()].join(" ")}\n`, TEXT_TYPE, 404);
}

/** Of a request without a Host that can be in a URL, Bun gives the path alone: probes send such. */
function pathOf(url: string): string {
  return /^(?:https?:\/\/[^/?#]*)?([^?#]*)/.exec(url)?.[1] ?? "";
}

function routes(request: Request, view: View): Response {
  const accept = request.headers.get("accept") ?? "";
  if (accept.includes(JSON_TYPE)) return reply(`${routesJson(view.model())}\n`, JSON_TYPE);
  return reply(routesText(view.model(), view.findings()), TEXT_TYPE);
}

function page(view: View): Response {
  const { ready, reason, notes, version, http, https } = view.readiness();
  const doors = [...http, ...https].join(", ");
  const served = doors === "" ? "" : `version ${version} on ${doors}`;
  const state = [ready ? "ready" : `not ready: ${reason}`, served, ...notes]
    .filter((line) => line !== "")
    .map((line) => `<p>${Bun.escapeHTML(line)}</p>`);
  const links = [...ROWS]
    .filter(([path]) => path !== "/")
    .map(([path, row]) => `<li><a href="${path}">${path}</a> ${Bun.escapeHTML(row.doc)}</li>`);
  const html = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>rind</title>
<style>body { font: 16px/1.5 system-ui, sans-serif; margin: 3rem auto; max-width: 40rem }</style>
<h1>rind</h1>
${state.join("\n")}
<p>Hosts: ${view.model().hosts.length}. Findings: ${view.findings().length}.</p>
<ul>
${links.join("\n")}
</ul>
</html>
`;
  return reply(html, HTML_TYPE);
}

function reply(body: string, type: string, status = 200): Response {
  return new Response(body, {
    status,
    headers: {
      "content-type": type,
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
      "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'",
    },
  });
}
