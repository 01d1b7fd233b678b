import { z } from "zod";
import { badRequest, invalid } from "./api-error.ts";
import type { Resource } from "./resources.ts";
import { causesOf } from "./schemas.ts";
import { fieldAt, isRecord, type Stored } from "./stored.ts";

const Scale = z.looseObject({
  metadata: z.looseObject({ name: z.string().optional(), resourceVersion: z.string().optional() }).optional(),
  spec: z.looseObject({ replicas: z.number().int().nonnegative().optional() }).optional(),
});

/** The `autoscaling/v1` view of a workload. */
export function scaleOf(object: Stored): object {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata;
  const labels = fieldAt(object, "spec", "selector", "matchLabels");
  const selector = isRecord(labels) ? Object.entries(labels).map(([label, value]) => `${label}=${value}`) : [];
  return {
    kind: "Scale",
    apiVersion: "autoscaling/v1",
    metadata: { name, namespace, uid, resourceVersion, creationTimestamp },
    spec: { replicas: fieldAt(object, "spec", "replicas") ?? 0 },
    status: { replicas: fieldAt(object, "status", "replicas") ?? 0, selector: selector.join(",") },
  };
}

/** The workload with the number of replicas of a written scale. Throws ApiError 400 or 422. */
export function withScale(resource: Resource, current: Stored, body: unknown): object {
  const parsed = Scale.safeParse(body);
  if (!parsed.success) throw invalid(resource, current.metadata.name, causesOf(parsed.error));
  const { metadata, spec } = parsed.data;
  if (metadata?.name !== undefined && metadata.name !== current.metadata.name) {
    throw badRequest("the name of the object does not match the name on the URL");
  }
  const resourceVersion = metadata?.resourceVersion ?? current.metadata.resourceVersion;
  return {
    ...current,
    metadata: { ...current.metadata, resourceVersion },
    spec: { ...(isRecord(current.spec) ? current.spec : {}), replicas: spec?.replicas ?? 0 },
  };
}
