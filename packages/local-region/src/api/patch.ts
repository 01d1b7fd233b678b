import { ApiError, badRequest, internal, patchDidNotApply, tooLarge, unsupportedMediaType } from "./api-error.ts";
import { applyJsonPatch, JsonPatch, PatchFailed } from "./json-patch.ts";
import { applyMergePatch, isPlainMerge } from "./merge-patch.ts";
import type { Resource } from "./resources.ts";
import { isRecord } from "./stored.ts";

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
  if (type === strategicPatch && !isPlainMerge(body)) {
    const why = "a local region takes strategic merge patches without lists of objects and directives only";
    throw new ApiError(415, "UnsupportedMediaType", `${why}; send ${mergePatch} or ${jsonPatch}`);
  }
  return (document) => applyMergePatch(document, body);
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
