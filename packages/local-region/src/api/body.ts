import { z } from "zod";
import { badRequest, invalid } from "./api-error.ts";
import { apiVersionOf, type Resource } from "./resources.ts";
import { causesOf, WrittenMetadata } from "./schemas.ts";
import { isRecord } from "./stored.ts";

/** An object as a caller sent it: its fields, with metadata of a known shape. */
export type Written = {
  readonly metadata: WrittenMetadata;
  readonly [field: string]: unknown;
};

const Head = z.looseObject({ apiVersion: z.string().optional(), kind: z.string().optional() });

/** Checks type and metadata of a sent object. Throws ApiError 400 or 422. */
export function readWritten(resource: Resource, body: unknown): Written {
  const head = Head.safeParse(body);
  if (!head.success || !isRecord(body))
    throw badRequest("the object provided is unrecognized (must be of type object)");
  const expected = { apiVersion: apiVersionOf(resource), kind: resource.kind };
  const { apiVersion = expected.apiVersion, kind = expected.kind } = head.data;
  if (apiVersion !== expected.apiVersion) {
    const why = "does not match the expected API version";
    throw badRequest(`the API version in the data (${apiVersion}) ${why} (${expected.apiVersion})`);
  }
  if (kind !== expected.kind) {
    throw badRequest(`${kind} in version "${apiVersion}" cannot be handled as a ${expected.kind}`);
  }
  const metadata = WrittenMetadata.safeParse(body.metadata ?? {});
  if (!metadata.success) {
    const named = isRecord(body.metadata) && typeof body.metadata.name === "string" ? body.metadata.name : "";
    throw invalid(resource, named, causesOf(metadata.error, ["metadata"]));
  }
  return { ...body, ...expected, metadata: metadata.data };
}
