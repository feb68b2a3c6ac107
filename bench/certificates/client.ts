/** A client that only looks at what it is shown. */
import { connect } from "node:tls";

const DNS = "DNS:";

/** The first DNS name of the certificate that who asks for `name` is shown; "" when none was. */
export function shownTo(port: number, name: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({
      host: "127.0.0.1",
      port,
      servername: name,
      rejectUnauthorized: false,
      ALPNProtocols: ["http/1.1"],
    });
    const shown = (found: string): void => {
      socket.destroy();
      resolve(found);
    };
    socket.once("secureConnect", () => {
      const [first = ""] = (socket.getPeerCertificate().subjectaltname ?? "").split(", ");
      shown(first.startsWith(DNS) ? first.slice(DNS.length) : "");
    });
    socket.once("error", () => shown(""));
    socket.once("close", () => shown(""));
  });
}
