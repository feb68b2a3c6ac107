/** Writes through the API: create, update, patch and delete, as optimistic as the real ones. */
import type { Answer } from "./connection.ts";
import type { KindRow } from "./kinds.ts";
import { type ApiObject, type Entry, type Given, jsonOf, type Objects } from "./objects.ts";
import { jsonPatch, mergePatch } from "./patch.ts";
import { conflict, deleted, exists, failure, invalid, notFound, type Status } from "./status.ts";
import { causesOf } from "./valid.ts";
import type { Call } from "./call.ts";

const SUFFIX_CHARS = 5;

/** Does a write; the answer is the object, or why not. */
export function write(objects: Objects, row: KindRow, call: Call): Answer | Status {
  if (call.verb === "delete") return remove(objects, row, call);
  const body = bodyOf(call);
  if (typeof body === "string") return failure(400, body);
  if (call.verb === "create") return create(objects, row, { call, body });
  const known = objects.get(row, call.namespace, call.name);
  if (known === undefined) return notFound(row, call.name);
  const wanted = call.verb === "patch" ? patched(known.object, call, body) : (body as Given);
  if (wanted.kind === "Status") return wanted as Status;
  return update(objects, row, { call, known, wanted: wanted as Given });
}

function create(
  objects: Objects,
  row: KindRow,
  { call, body }: Readonly<{ call: Call; body: unknown }>,
): Answer | Status {
  const given = named(body as Given, row.namespaced ? call.namespace : "");
  if (given === null) return failure(400, "the object has no name, or another namespace");
  const { name } = given.metadata;
  if (objects.get(row, call.namespace, name) !== undefined) return exists(row, name);
  const causes = causesOf(row, given);
  if (causes.length > 0) return invalid(row, name, causes);
  // What has a status is born without one, and nobody chooses uid or version.
  const { status, ...rest } = given as Given & { status?: unknown };
  const { uid: _, resourceVersion: __, creationTimestamp: ___, ...metadata } = given.metadata;
  const object = { ...rest, ...(row.status ? {} : { status }), metadata } as Given;
  return { status: 201, body: jsonOf(objects.put(row, object)) };
}

function update(
  objects: Objects,
  row: KindRow,
  { call, known, wanted }: Readonly<{ call: Call; known: Entry; wanted: Given }>,
): Answer | Status {
  const { object } = known;
  const version = wanted.metadata["resourceVersion"] ?? "";
  const { uid } = object.metadata;
  if (version !== "" && version !== object.metadata.resourceVersion)
    return conflict(row, call.name);
  if ((wanted.metadata["uid"] ?? uid) !== uid) return conflict(row, call.name);
  const { resourceVersion: _, managedFields: __, ...metadata } = object.metadata;
  const fixed = { name: object.metadata.name, uid, creationTimestamp: metadata.creationTimestamp };
  const main = call.subresource === "";
  const next = main
    ? {
        ...wanted,
        metadata: { ...wanted.metadata, ...fixed, generation: metadata.generation },
        ...(row.status ? { status: object["status"] } : {}),
      }
    : { ...object, metadata, status: wanted["status"] };
  const clean = JSON.parse(JSON.stringify(next)) as Given;
  const causes = causesOf(row, clean);
  if (causes.length > 0) return invalid(row, call.name, causes);
  // A write that changes nothing is no write.
  const same = Bun.deepEquals(bare(clean), bare(object));
  return { status: 200, body: jsonOf(same ? known : objects.put(row, clean)) };
}

function remove(objects: Objects, row: KindRow, { namespace, name }: Call): Answer | Status {
  const known = objects.get(row, namespace, name);
  if (known === undefined) return notFound(row, name);
  objects.remove(row, namespace, name);
  const done = deleted(row, name, known.object.metadata.uid ?? "");
  return { status: 200, body: JSON.stringify(done) };
}

function patched(object: ApiObject, { contentType }: Call, body: unknown): Given | Status {
  if (contentType === "application/json-patch+json") {
    const done = jsonPatch(object, body);
    return typeof done === "string" ? failure(422, done) : (done.to as Given);
  }
  // Close enough to a strategic merge for lists that a controller replaces whole.
  if (/^application\/(strategic-)?merge-patch\+json$/.test(contentType)) {
    return mergePatch(object, body) as Given;
  }
  return failure(415, `the body of the request was in an unknown format: ${contentType}`);
}

function bodyOf({ body }: Call): unknown {
  try {
    return JSON.parse(body.toString("utf8")) as unknown;
  } catch {
    return "the body is no JSON";
  }
}

/** Gives the object its namespace, and a name when it asks for one. */
function named(object: Given, namespace: string): Given | null {
  const { metadata } = object;
  const prefix = metadata?.["generateName"];
  const random = crypto.randomUUID().slice(0, SUFFIX_CHARS);
  const name = metadata?.name ?? (prefix === undefined ? "" : `${String(prefix)}${random}`);
  if (name === "" || (metadata?.["namespace"] ?? namespace) !== namespace) return null;
  const place = namespace === "" ? {} : { namespace };
  return { ...object, metadata: { ...metadata, name, ...place } };
}

/** Without what every write changes. */
function bare(object: Given): unknown {
  const { resourceVersion: _, managedFields: __, generation: ___, ...metadata } = object.metadata;
  return { ...object, metadata };
}
