import { anyRole, type RawAnswer, type RawMethod, type RawOperation } from "@slipway/contracts";
import { isRead } from "./dispatch.ts";

const bytes = "application/octet-stream";
const manifest = "application/vnd.oci.image.manifest.v1+json";

function operation(
  id: string,
  method: RawMethod,
  path: string,
  summary: string,
  answers: Readonly<Record<number, RawAnswer>>,
): RawOperation {
  const takesBytes = method === "POST" || method === "PUT" || method === "PATCH";
  return {
    id,
    method,
    path: `/v2/${path}`,
    summary,
    auth: "token",
    roles: isRead(method) ? anyRole : ["service"],
    ...(takesBytes ? { body: { [path.includes("manifests") ? manifest : bytes]: null } } : {}),
    answers,
    errors: "oci",
  };
}

/** One that is read with GET and asked about with HEAD. */
const readable = (id: string, path: string, summary: string, answers: Readonly<Record<number, RawAnswer>>) => [
  operation(`get${id}`, "GET", path, summary, answers),
  operation(`head${id}`, "HEAD", path, summary, answers),
];

const upload = ":name/blobs/uploads/:upload";

/** The OCI distribution API, version 1.1: https://github.com/opencontainers/distribution-spec. Repository names may hold slashes. */
export const ociOperations: readonly RawOperation[] = [
  ...readable("OciBase", "", "Whether the API is there", { 200: { description: "It is" } }),
  ...readable("OciBlob", ":name/blobs/:digest", "The bytes of a blob", {
    200: { description: "All of them", type: bytes },
    206: { description: "The range that was asked for", type: bytes },
  }),
  operation("startOciUpload", "POST", ":name/blobs/uploads/", "Begin an upload, take it whole, or mount a blob", {
    201: { description: "The blob is there" },
    202: { description: "The upload has begun" },
  }),
  operation("getOciUpload", "GET", upload, "How far an upload is", { 204: { description: "The range that is here" } }),
  operation("patchOciUpload", "PATCH", upload, "Bytes of an upload", { 202: { description: "They are here" } }),
  operation("finishOciUpload", "PUT", upload, "End an upload under its digest", {
    201: { description: "It is a blob" },
  }),
  operation("cancelOciUpload", "DELETE", upload, "Give an upload up", { 204: { description: "It is gone" } }),
  ...readable("OciManifest", ":name/manifests/:reference", "A manifest by tag or digest", {
    200: { description: "The manifest", type: manifest },
  }),
  operation("putOciManifest", "PUT", ":name/manifests/:reference", "Push a manifest; a commit's tag never moves", {
    201: { description: "It is there" },
  }),
  operation("listOciTags", "GET", ":name/tags/list", "The tags of a repository", {
    200: { description: "A page of them", type: "application/json" },
  }),
  operation("listOciReferrers", "GET", ":name/referrers/:digest", "What refers to a manifest", {
    200: { description: "An index", type: "application/vnd.oci.image.index.v1+json" },
  }),
];
