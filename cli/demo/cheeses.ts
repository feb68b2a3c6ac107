/** The demo's backends: three small servers, each with one cheese and one page. */
import { CHEDDAR, STILTON, WENSLEYDALE } from "./drawings.ts";

type Cheese = Readonly<{ name: string; title: string; about: string; drawing: string }>;

/** A running cheese server; `name` is the Service it stands for. */
export type Shop = Readonly<{ name: string; port: number; stop: () => void }>;

const CHEESES: readonly Cheese[] = [
  {
    name: "cheddar",
    title: "Cheddar",
    about: "Firm, sharp and orange. It does most of the work.",
    drawing: CHEDDAR,
  },
  {
    name: "stilton",
    title: "Stilton",
    about: "Blue veins, brown crust. It takes its quarter of the plate.",
    drawing: STILTON,
  },
  {
    name: "wensleydale",
    title: "Wensleydale",
    about: "Pale, crumbly and often misspelled.",
    drawing: WENSLEYDALE,
  },
];

/** Starts the three servers on loopback ports of the system's choice. */
export function openShops(): readonly Shop[] {
  return CHEESES.map((cheese) => {
    let requests = 0;
    const server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      development: false,
      fetch: (request) => {
        requests++;
        const headers = { "content-type": "text/html; charset=utf-8", "cache-control": "no-store" };
        return new Response(drawPage(cheese, requests, request.headers.get("host")), { headers });
      },
    });
    return { name: cheese.name, port: server.port ?? 0, stop: () => void server.stop(true) };
  });
}

/** Its first line names the cheese, so that it can be read in a terminal too. */
function drawPage(cheese: Cheese, request: number, host: string | null): string {
  return `<!doctype html><html lang="en"><title>${cheese.title}</title>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<style>
body { margin: 0; min-height: 100vh; display: grid; place-content: center; text-align: center;
  font: 18px/1.5 Georgia, serif; color: #3b2f2a; background: #faf7f0 }
svg { width: min(80vw, 480px); height: auto }
h1 { margin: 0; font-weight: normal; font-size: 2.4em }
p { margin: .3em 1em }
small { color: #8b7d74 }
</style>
<main>
${cheese.drawing}
<h1>${cheese.title}</h1>
<p>${cheese.about}</p>
<p><small>request ${request} for ${Bun.escapeHTML(host ?? "no host")}</small></p>
</main>
`;
}
