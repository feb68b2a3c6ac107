/** Upstreams at every loopback address: what pods are here. */

/** A listening upstream. */
export type Origin = Readonly<{ port: number; stop: () => void }>;

/** Answers `body` to every request. Only who comes from loopback is answered. */
export function openOrigin(body: string): Origin {
  const server = Bun.serve({
    hostname: "0.0.0.0",
    port: 0,
    idleTimeout: 255,
    fetch: (request, self) =>
      self.requestIP(request)?.address.startsWith("127.") === true
        ? new Response(body)
        : new Response(null, { status: 403 }),
  });
  return { port: server.port ?? 0, stop: () => void server.stop(true) };
}
