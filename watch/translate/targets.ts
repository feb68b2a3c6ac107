/**
 * The backend of a path, in the spelling of either API.
 *
 *     networking.k8s.io/v1    service.name, service.port.number | service.port.name
 *     …/v1beta1, extensions   serviceName, servicePort (a number or a name)
 */
import { type Field, absent, at, integer, mapped, text } from "./read.ts";

const PORT_MAX = 65_535;

/** Where requests go: a port of a Service of the same namespace, or nowhere, with the reason. */
export type Target =
  | Readonly<{ kind: "service"; name: string; port: number | string; nameAt: Field; portAt: Field }>
  | Broken;

type Port = Readonly<{ port: number | string; portAt: Field }>;
type Broken = Readonly<{ kind: "broken"; reason: string }>;

/** Reads a backend. One that names no single Service port is remarked, and broken. */
export function readTarget(backend: Field, legacy: boolean): Target {
  if (!mapped(backend)) return unreadable(backend);
  const resource = at(backend, "resource");
  if (!absent(resource)) {
    return refuse(resource, "backends of this kind are not supported", "use a Service");
  }
  const foreign = at(backend, legacy ? "service" : "serviceName");
  if (!absent(foreign)) {
    const hint = legacy
      ? "write serviceName and servicePort, or use apiVersion networking.k8s.io/v1"
      : "write service.name and service.port.number";
    return refuse(foreign, "belongs to another apiVersion", hint);
  }
  const service = legacy ? backend : at(backend, "service");
  if (!mapped(service)) return unreadable(service);
  const nameAt = at(service, legacy ? "serviceName" : "name");
  const name = text(nameAt);
  if (name === undefined || name === null || name === "") return unreadable(nameAt);
  const portAt = at(service, legacy ? "servicePort" : "port");
  const port = legacy ? readEither(portAt) : readPort(portAt);
  return "kind" in port ? port : { kind: "service", name, nameAt, ...port };
}

function readPort(port: Field): Port | Broken {
  if (!mapped(port)) return unreadable(port);
  const name = at(port, "name");
  const number = at(port, "number");
  // The API server fills in neither: "" and 0 are how Go writes an absent one.
  const named = !absent(name) && name.value !== "";
  const numbered = !absent(number) && number.value !== 0;
  if (named && numbered) return refuse(port, "has a number and a name", "keep one of them");
  if (!named && !numbered) return refuse(port, "has neither a number nor a name", "");
  return named ? readName(name) : readNumber(number);
}

function readEither(port: Field): Port | Broken {
  return typeof port.value === "string" ? readName(port) : readNumber(port);
}

function readName(field: Field): Port | Broken {
  const name = text(field);
  if (typeof name !== "string" || name === "") return unreadable(field);
  return { port: name, portAt: field };
}

function readNumber(field: Field): Port | Broken {
  const number = integer(field);
  if (number === undefined || number === null) return unreadable(field);
  if (number >= 1 && number <= PORT_MAX) return { port: number, portAt: field };
  return refuse(field, `${number} is no port, expected 1 to ${PORT_MAX}`, "");
}

/** A part that is not there is remarked here; one of the wrong type has been, by its reader. */
function unreadable(field: Field): Broken {
  if (absent(field) || field.value === "") return refuse(field, "is missing", "");
  return { kind: "broken", reason: `${lastOf(field)} cannot be read` };
}

function refuse(field: Field, reason: string, hint: string): Broken {
  field.remark({ field: field.path, reason, hint, effect: field.effect });
  return { kind: "broken", reason: `${lastOf(field)} ${reason}` };
}

function lastOf(field: Field): string {
  return field.path.slice(field.path.lastIndexOf(".") + 1);
}
