import { randomUUID } from "node:crypto";
import { alreadyExists, badRequest, forbidden, invalid, notFound } from "./api-error.ts";
import { readWritten, type Written } from "./body.ts";
import { withDefaults } from "./defaults.ts";
import { checkQuota } from "./quota.ts";
import { namespaceState, type Region, suffix, timestamp } from "./region.ts";
import { namespaces, nodes, pods, type Resource } from "./resources.ts";
import { isRecord, keyOf, type Metadata, type Stored } from "./stored.ts";
import { checkObject } from "./validation.ts";

export type Writing = { readonly object: Stored; readonly written: Promise<void> };

type CreateRequest = {
  readonly resource: Resource;
  readonly namespace: string | undefined;
  readonly body: unknown;
  readonly dryRun?: boolean;
};

/** Decides a new object and hands it to the store. Throws ApiError. */
export function create(region: Region, { resource, namespace, body, dryRun = false }: CreateRequest): Writing {
  const written = readWritten(resource, body);
  checkNamespace(region, resource, namespace, written);
  const object = newObject(region, resource, namespace, written);
  checkObject(resource, object);
  if (region.store.latest(resource, keyOf(object.metadata)) !== undefined) {
    throw alreadyExists(resource, object.metadata.name);
  }
  checkQuota(region, resource, namespace, object.metadata.name);
  return dryRun ? { object, written: Promise.resolve() } : region.store.put(resource, object);
}

function checkNamespace(region: Region, resource: Resource, namespace: string | undefined, written: Written): void {
  const own = written.metadata.namespace;
  if (own !== undefined && own !== "" && own !== (namespace ?? "")) {
    throw badRequest("the namespace of the provided object does not match the namespace sent on the request");
  }
  if (namespace === undefined) return;
  const state = namespaceState(region, namespace);
  if (state === undefined) throw notFound(namespaces, namespace);
  if (state === "active") return;
  const message = `namespace ${namespace} is being terminated`;
  throw forbidden(
    resource,
    written.metadata.name ?? "",
    `unable to create new content in namespace ${namespace} because it is being terminated`,
    [{ reason: "NamespaceTerminating", message, field: "metadata.namespace" }],
  );
}

function newObject(region: Region, resource: Resource, namespace: string | undefined, written: Written): Stored {
  const { metadata, status, ...fields } = written;
  if (metadata.resourceVersion !== undefined && metadata.resourceVersion !== "") {
    throw badRequest("resourceVersion should not be set on objects to be created");
  }
  const filled = withDefaults(resource, { ...fields, ...firstStatus(region, resource, status) });
  const head = { apiVersion: String(filled.apiVersion), kind: String(filled.kind) };
  return {
    ...head,
    ...boundPod(region, resource, filled),
    metadata: newMetadata(region, resource, namespace, written),
  };
}

function newMetadata(
  region: Region,
  resource: Resource,
  namespace: string | undefined,
  { metadata }: Written,
): Metadata {
  const { name, generateName, managedFields, selfLink, namespace: _own, ...rest } = metadata;
  if ((name ?? "") === "" && (generateName ?? "") === "") {
    const message = "Required value: name or generateName is required";
    throw invalid(resource, "", [{ reason: "FieldValueRequired", message, field: "metadata.name" }]);
  }
  const { deletionTimestamp, deletionGracePeriodSeconds, resourceVersion, uid, generation, ...kept } = rest as Record<
    string,
    unknown
  >;
  return {
    name: name === undefined || name === "" ? `${generateName}${suffix(region.random)}` : name,
    ...(generateName === undefined ? {} : { generateName }),
    ...(namespace === undefined ? {} : { namespace }),
    ...kept,
    uid: randomUUID(),
    resourceVersion: "",
    creationTimestamp: timestamp(region),
    ...(resource.generation ? { generation: 1 } : {}),
  };
}

/** Who creates an object does not say how it is doing; nodes do, since nothing else here knows. */
function firstStatus(region: Region, resource: Resource, given: unknown): { status?: unknown } {
  if (resource === namespaces) return { status: { phase: "Active" } };
  if (resource === pods) {
    const lastTransitionTime = timestamp(region);
    const conditions = [{ type: "PodScheduled", status: "True", lastProbeTime: null, lastTransitionTime }];
    return { status: { phase: "Pending", conditions, qosClass: "Burstable" } };
  }
  if (resource === nodes || !resource.status) return given === undefined ? {} : { status: given };
  return resource.custom ? {} : { status: {} };
}

/** There is one node, so that a pod is bound when it is made. */
function boundPod({ node }: Region, resource: Resource, fields: Readonly<Record<string, unknown>>) {
  if (resource !== pods) return fields;
  const spec = isRecord(fields.spec) ? fields.spec : {};
  return { ...fields, spec: { ...spec, nodeName: spec.nodeName ?? node } };
}
