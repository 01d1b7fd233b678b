import { ApiError, badRequest, internal, patchDidNotApply, tooLarge, unsupportedMediaType } from "./api-error.ts";
import { applyJsonPatch, JsonPatch, PatchFailed } from "./json-patch.ts";
import { applyMergePatch } from "./merge-patch.ts";
import type { Resource } from "./resources.ts";
import { isRecord } from "./stored.ts";
import { applyStrategicPatch } from "./strategic-merge.ts";

const jsonPatch = "application/json-patch+json";
const mergePatch = "application/merge-patch+json";
const strategicPatch = "application/strategic-merge-patch+json";
const mostOperations = 10_000;

/** Reads a patch body of any of the three kinds. Throws ApiError 400, 413 or 415. */
export function readPatch(resource: Resource, contentType: string, body: unknown): (document: unknown) => unknown {
  const type = contentType.split(";")[0]?.trim().toLowerCase() ?? "";
  if (type === jsonPatch) return jsonPatcher(body);
  if (type !== mergePatch && (type !== strategicPatch || resource.custom)) {
    throw unsupportedMediaType([jsonPatch, mergePatch, ...(resource.custom ? [] : [strategicPatch])]);
  }
  if (!isRecord(body)) throw badRequest("a merge patch must be an object");
  return (document) =>
    type === strategicPatch ? applyStrategicPatch(document, body) : applyMergePatch(document, body);
}

/** A server-side apply says whose each field is, which nobody keeps here. Throws ApiError 415 for the patch of one. */
export function refuseApply(contentType = ""): void {
  if (!/^application\/apply-patch\+/i.test(contentType)) return;
  const why = "a local region does not keep whose each field is, and takes no server-side apply";
  throw new ApiError(415, "UnsupportedMediaType", `${why}: use kubectl apply without --server-side`);
}

function jsonPatcher(body: unknown): (document: unknown) => unknown {
  const patch = JsonPatch.safeParse(body);
  if (!patch.success) throw badRequest(`error decoding patch: ${patch.error.issues[0]?.message ?? "not a JSON patch"}`);
  if (patch.data.length > mostOperations) throw tooLarge(mostOperations);
  return (document) => {
    try {
      return applyJsonPatch(document, patch.data);
    } catch (error) {
      throw error instanceof PatchFailed ? patchDidNotApply() : internal(String(error));
    }
  };
}
