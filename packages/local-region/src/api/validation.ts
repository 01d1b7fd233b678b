import { isDeepStrictEqual } from "node:util";
import { type Cause, invalid } from "./api-error.ts";
import { labelCauses, nameCauses } from "./names.ts";
import { configmaps, deployments, idOf, type Resource, replicasets, secrets } from "./resources.ts";
import { shapeCauses } from "./schemas.ts";
import { matchesSelector } from "./selectors.ts";
import { fieldAt, isRecord, type Stored } from "./stored.ts";

/** Throws ApiError 422 for an object that the real server would not take either. */
export function checkObject(resource: Resource, object: Stored): void {
  const { name } = object.metadata;
  const causes = [...nameCauses(resource, name), ...labelCauses(object.metadata), ...shapeCauses(resource, object)];
  if (causes.length === 0) causes.push(...selectorCauses(resource, object));
  if (causes.length > 0) throw invalid(resource, name, causes);
}

function selectorCauses(resource: Resource, object: Stored): Cause[] {
  if (resource !== deployments && resource !== replicasets) return [];
  const labels = fieldAt(object, "spec", "template", "metadata", "labels") ?? {};
  if (matchesSelector(fieldAt(object, "spec", "selector"), labels as Record<string, string>)) return [];
  const message = `Invalid value: ${JSON.stringify(labels)}: \`selector\` does not match template \`labels\``;
  return [{ reason: "FieldValueInvalid", message, field: "spec.template.metadata.labels" }];
}

/** Throws ApiError 422 for a change of what stays as it was made. */
export function checkChange(resource: Resource, before: Stored, after: Stored): void {
  const causes = changeCauses(resource, before, after);
  if (causes.length > 0) throw invalid(resource, after.metadata.name, causes);
}

function changeCauses(resource: Resource, before: Stored, after: Stored): Cause[] {
  if (resource === deployments || resource === replicasets) {
    const [old, next] = [fieldAt(before, "spec", "selector"), fieldAt(after, "spec", "selector")];
    if (isDeepStrictEqual(old, next)) return [];
    const message = `Invalid value: ${JSON.stringify(next)}: field is immutable`;
    return [{ reason: "FieldValueInvalid", message, field: "spec.selector" }];
  }
  if (resource === secrets || resource === configmaps) return immutableCauses(before, after);
  if (idOf(resource) !== "/pods") return [];
  if (isDeepStrictEqual(fixedPart(before), fixedPart(after))) return [];
  const message =
    "Forbidden: pod updates may not change fields other than `spec.containers[*].image`, `spec.activeDeadlineSeconds` and `spec.terminationGracePeriodSeconds`";
  return [{ reason: "FieldValueForbidden", message, field: "spec" }];
}

/** What was made immutable stays so, with all that it holds. */
function immutableCauses(before: Stored, after: Stored): Cause[] {
  if (before.immutable !== true) return [];
  const message = "Forbidden: field is immutable when `immutable` is set";
  return ["immutable", "data", "binaryData", "type"].flatMap((field) =>
    isDeepStrictEqual(before[field], after[field]) ? [] : [{ reason: "FieldValueForbidden", message, field }],
  );
}

function fixedPart(pod: Stored): object {
  const spec = isRecord(pod.spec) ? pod.spec : {};
  const containers = Array.isArray(spec.containers) ? spec.containers : [];
  const free = { activeDeadlineSeconds: null, terminationGracePeriodSeconds: null };
  return { ...spec, ...free, containers: containers.map((each: object) => ({ ...each, image: null })) };
}
