import { isDeepStrictEqual } from "node:util";
import { badRequest, conflict, invalid, modified, notFound } from "./api-error.ts";
import { readWritten, type Written } from "./body.ts";
import type { Writing } from "./create.ts";
import { withDefaults } from "./defaults.ts";
import type { Place, Region } from "./region.ts";
import { namespaces, pods, type Resource } from "./resources.ts";
import { fieldAt, isRecord, keyOf, type Metadata, type Stored } from "./stored.ts";
import { checkChange, checkObject } from "./validation.ts";

type Part = "whole" | "status";

type UpdateRequest = Place & {
  readonly part: Part;
  /** The object as it is to be, made of the one that is there. May throw ApiError. */
  readonly propose: (current: Stored) => unknown;
  /** A PUT of a custom resource must say which version it replaces. */
  readonly mustSayVersion?: boolean;
  readonly dryRun?: boolean;
};

/** Decides a changed object and hands it to the store. One that comes out as it was is not written. Throws ApiError. */
export function update(region: Region, request: UpdateRequest): Writing {
  const { resource, name, namespace, part } = request;
  const current = existing(region, request);
  const written = readWritten(resource, request.propose(current));
  checkIdentity(resource, current, written, request.mustSayVersion ?? false);
  if (written.metadata.namespace !== undefined && written.metadata.namespace !== (namespace ?? "")) {
    throw badRequest("the namespace of the provided object does not match the namespace sent on the request");
  }
  if (written.metadata.name !== undefined && written.metadata.name !== name) {
    const why = `the name of the object (${written.metadata.name}) does not match the name on the URL (${name})`;
    throw badRequest(why);
  }
  const next = part === "status" ? withStatus(current, written) : withoutStatus(resource, current, written);
  const counted = resource.generation ? countGeneration(resource, current, next) : next;
  if (isDeepStrictEqual(counted, current)) return { object: current, written: region.store.settled() };
  if (part === "whole") {
    checkObject(resource, counted);
    checkChange(resource, current, counted);
  }
  if (request.dryRun === true) return { object: counted, written: Promise.resolve() };
  return isFinished(resource, counted) ? region.store.remove(resource, counted) : region.store.put(resource, counted);
}

/** Throws ApiError 404. */
export function existing({ store }: Region, place: Place): Stored {
  const object = store.latest(place.resource, keyOf(place));
  if (object === undefined) throw notFound(place.resource, place.name);
  return object;
}

/** Deleted, waited long enough, and nobody holds on to it any more. */
export function isFinished(resource: Resource, { metadata, spec }: Stored): boolean {
  if (metadata.deletionTimestamp === undefined || (metadata.deletionGracePeriodSeconds ?? 0) > 0) return false;
  if ((metadata.finalizers ?? []).length > 0) return false;
  const held = resource === namespaces ? fieldAt(spec, "finalizers") : undefined;
  return !(Array.isArray(held) && held.length > 0);
}

function checkIdentity(resource: Resource, current: Stored, { metadata }: Written, mustSayVersion: boolean): void {
  const { name, uid, resourceVersion } = current.metadata;
  if (metadata.uid !== undefined && metadata.uid !== "" && metadata.uid !== uid) {
    const why = `Precondition failed: UID in precondition: ${metadata.uid}, UID in object meta: ${uid}`;
    throw conflict(resource, name, why);
  }
  const said = metadata.resourceVersion ?? "";
  if (said === "" && mustSayVersion && resource.custom) {
    const message = "Invalid value: 0x0: must be specified for an update";
    throw invalid(resource, name, [{ reason: "FieldValueInvalid", message, field: "metadata.resourceVersion" }]);
  }
  if (said !== "" && said !== resourceVersion) throw conflict(resource, name, modified);
}

function withStatus(current: Stored, { status }: Written): Stored {
  const { status: _old, ...rest } = current;
  return status === undefined ? rest : { ...rest, status };
}

function withoutStatus(resource: Resource, current: Stored, { metadata, status, ...fields }: Written): Stored {
  const filled = withDefaults(resource, keepAssigned(resource, current, fields));
  const kept = resource.status && resource.kind !== "Node" ? current.status : status;
  return {
    ...filled,
    apiVersion: current.apiVersion,
    kind: current.kind,
    metadata: nextMetadata(current.metadata, metadata),
    ...(kept === undefined ? {} : { status: kept }),
  };
}

/** The node of a pod and the finalizers of a namespace are not the writer's to forget. */
function keepAssigned(resource: Resource, current: Stored, fields: Readonly<Record<string, unknown>>) {
  if (resource !== pods || !isRecord(fields.spec)) return fields;
  return { ...fields, spec: { nodeName: fieldAt(current, "spec", "nodeName"), ...fields.spec } };
}

/** What identifies the object and when it ends is the server's; the rest is the writer's. */
function nextMetadata(current: Metadata, written: Written["metadata"]): Metadata {
  const { managedFields, selfLink, deletionTimestamp, deletionGracePeriodSeconds, generation, ...rest } = written;
  const { name, namespace, uid, resourceVersion, creationTimestamp, generateName } = current;
  return {
    ...(rest as object),
    ...{ name, uid, resourceVersion, creationTimestamp },
    ...(namespace === undefined ? {} : { namespace }),
    ...(generateName === undefined ? {} : { generateName }),
    ...(current.generation === undefined ? {} : { generation: current.generation }),
    ...(current.deletionTimestamp === undefined ? {} : { deletionTimestamp: current.deletionTimestamp }),
    ...(current.deletionGracePeriodSeconds === undefined
      ? {}
      : { deletionGracePeriodSeconds: current.deletionGracePeriodSeconds }),
  };
}

/** Built-in kinds count changes of spec; custom ones of everything but metadata and status. */
function countGeneration(resource: Resource, current: Stored, next: Stored): Stored {
  const counted = ({ metadata, status, ...rest }: Stored) => (resource.custom ? rest : rest.spec);
  if (isDeepStrictEqual(counted(current), counted(next))) return next;
  return { ...next, metadata: { ...next.metadata, generation: (current.metadata.generation ?? 0) + 1 } };
}
