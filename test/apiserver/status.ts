/** `Status` objects: how an API server says no, in its own words. */
import { type KindRow, resourceOf } from "./kinds.ts";

/** A refusal, as an HTTP answer and as the object of an ERROR event. */
export type Status = Readonly<{
  kind: "Status";
  apiVersion: "v1";
  metadata: Readonly<{ continue?: string }>;
  status: "Failure" | "Success";
  message?: string;
  reason?: string;
  details?: Readonly<Record<string, unknown>>;
  code: number;
}>;

/** What a request wanted, as authorization and messages see it. */
export type Attempt = Readonly<{
  verb: string;
  row: KindRow;
  namespace: string;
  name: string;
  subresource: string;
  user: string;
}>;

const REASONS: Readonly<Record<number, string>> = {
  400: "BadRequest",
  401: "Unauthorized",
  403: "Forbidden",
  404: "NotFound",
  405: "MethodNotAllowed",
  409: "Conflict",
  410: "Expired",
  415: "UnsupportedMediaType",
  422: "Invalid",
  429: "TooManyRequests",
  500: "InternalError",
  503: "ServiceUnavailable",
  504: "Timeout",
};

/** A failure of `code`; the reason follows from the code unless it is given. */
export function failure(
  code: number,
  message: string,
  more: Readonly<{ reason?: string; details?: Status["details"]; continue?: string }> = {},
): Status {
  return {
    kind: "Status",
    apiVersion: "v1",
    metadata: more.continue === undefined ? {} : { continue: more.continue },
    status: "Failure",
    message,
    reason: more.reason ?? REASONS[code] ?? "",
    ...(more.details === undefined ? {} : { details: more.details }),
    code,
  };
}

/** 404 for an object that is not there. */
export function notFound(row: KindRow, name: string): Status {
  const details = { name, group: row.group, kind: row.plural };
  return failure(404, `${resourceOf(row)} "${name}" not found`, { details });
}

/** 403, as the RBAC authorizer words it. */
export function forbidden({ verb, row, namespace, name, subresource, user }: Attempt): Status {
  const what = subresource === "" ? row.plural : `${row.plural}/${subresource}`;
  const subject = name === "" ? resourceOf(row) : `${resourceOf(row)} "${name}"`;
  const scope = namespace === "" ? "at the cluster scope" : `in the namespace "${namespace}"`;
  const ask = `User "${user}" cannot ${verb} resource "${what}" in API group "${row.group}"`;
  const details = { ...(name === "" ? {} : { name }), group: row.group, kind: row.plural };
  return failure(403, `${subject} is forbidden: ${ask} ${scope}`, { details });
}

/** 409 of an update that was made from an old version. */
export function conflict(row: KindRow, name: string): Status {
  const message =
    `Operation cannot be fulfilled on ${resourceOf(row)} "${name}": ` +
    "the object has been modified; please apply your changes to the latest version and try again";
  return failure(409, message, { details: { name, group: row.group, kind: row.plural } });
}

/** 409 of a create. */
export function exists(row: KindRow, name: string): Status {
  const details = { name, group: row.group, kind: row.plural };
  const message = `${resourceOf(row)} "${name}" already exists`;
  return failure(409, message, { reason: "AlreadyExists", details });
}

/** 410 of whoever asks for what was compacted away. */
export function tooOld(asked: number, oldest: number): Status {
  return failure(410, `too old resource version: ${asked} (${oldest})`);
}

/** 504 of a list that wants to be newer than anything. */
export function tooLarge(asked: number, current: number): Status {
  const causes = [{ reason: "ResourceVersionTooLarge", message: "Too large resource version" }];
  const details = { causes, retryAfterSeconds: 1 };
  const message = `Too large resource version: ${asked}, current: ${current}`;
  return failure(504, `Timeout: ${message}`, { details });
}

/** 410 of a continue token; `token` goes on with what there is now. */
export function tokenExpired(token: string): Status {
  const message =
    "The provided continue parameter is too old to display a consistent list result. " +
    "You can start a new list without the continue parameter, or use the continue token in this " +
    "response to retrieve the remainder of the results.";
  return failure(410, message, { continue: token });
}

/** 422: `causes` are pairs of a field and what is wrong there. */
export function invalid(
  row: KindRow,
  name: string,
  causes: readonly (readonly [field: string, message: string])[],
): Status {
  const subject = `${row.kind}${row.group === "" ? "" : `.${row.group}`} "${name}" is invalid`;
  const text = causes.map(([field, message]) => `${field}: ${message}`);
  const details = {
    name,
    group: row.group,
    kind: row.kind,
    causes: causes.map(([field, message]) => ({ reason: "FieldValueInvalid", field, message })),
  };
  const listed = text.length === 1 ? text[0]! : `[${text.join(", ")}]`;
  return failure(422, `${subject}: ${listed}`, { details });
}

/** What a delete answers. */
export function deleted(row: KindRow, name: string, uid: string): Status {
  const details = { name, group: row.group, kind: row.plural, uid };
  return { ...failure(200, ""), status: "Success", reason: "", message: "", details };
}
