import { z } from "zod";
import { noSuchPath } from "./api-error.ts";
import { allResources, apiVersionOf, type Resource } from "./resources.ts";
import { shapeOf, WrittenMetadata } from "./schemas.ts";

/**
 * `/openapi/v3`: which documents there are; below it the document of one group and version, which tells kubectl that fields are checked here and
 * by which patches it may write, and people what `kubectl explain` shows. Made from the shapes by which objects are checked, each time it is asked
 * for: that is seldom, and a region is idle nearly always. Throws ApiError 404.
 */
export function openApi(path: string): object {
  const [, version, root, ...rest] = path.split("/").filter((part) => part !== "");
  if (version !== "v3") throw noSuchPath();
  if (root === undefined) return { paths: Object.fromEntries(documents().map(entryOf)) };
  const resources = allResources.filter((each) => documentOf(each) === [root, ...rest].join("/"));
  if (resources.length === 0) throw noSuchPath();
  return {
    openapi: "3.0.0",
    info: { title: "A local region of Slipway", version: rest.join("/") },
    paths: Object.fromEntries(resources.map((each) => [pathOf(each), { patch: patchOf(each) }])),
    components: { schemas: Object.fromEntries(resources.map((each) => [nameOf(each), schemaOf(each)])) },
  };
}

function documents(): readonly string[] {
  return [...new Set(allResources.map(documentOf))];
}

function entryOf(name: string): [string, object] {
  return [name, { serverRelativeURL: `/openapi/v3/${name}` }];
}

/** `api/v1`, `apis/apps/v1`. */
function documentOf(resource: Resource): string {
  return `${resource.group === "" ? "api" : "apis"}/${apiVersionOf(resource)}`;
}

function pathOf(resource: Resource): string {
  const place = resource.namespaced ? "/namespaces/{namespace}" : "";
  return `/${documentOf(resource)}${place}/${resource.plural}/{name}`;
}

function nameOf(resource: Resource): string {
  return `${apiVersionOf(resource).replace("/", ".")}.${resource.kind}`;
}

function kindOf({ group, version, kind }: Resource): object {
  return { group, version, kind };
}

/** Strategic patches are not named: kubectl makes them from what it knows of those kinds itself, which is more than stands here. */
function patchOf(resource: Resource): object {
  const parameter = (name: string) => ({ name, in: "query", schema: { type: "string" } });
  return {
    parameters: ["fieldValidation", "fieldManager", "dryRun"].map(parameter),
    requestBody: { content: { "application/json-patch+json": {}, "application/merge-patch+json": {} } },
    responses: { 200: { description: "The object as it is then" } },
    "x-kubernetes-group-version-kind": kindOf(resource),
  };
}

function schemaOf(resource: Resource): object {
  const text = { type: "string" };
  return {
    type: "object",
    description: `${resource.kind}, as far as a local region reads it: fields that are not named here are kept as they are.`,
    properties: { apiVersion: text, kind: text, metadata: jsonSchema(WrittenMetadata), ...fieldsOf(shapeOf(resource)) },
    "x-kubernetes-group-version-kind": [kindOf(resource)],
  };
}

function fieldsOf(shape: z.ZodType | undefined): object {
  const found = shape === undefined ? {} : jsonSchema(shape);
  return "properties" in found ? Object(found.properties) : { spec: { type: "object" } };
}

function jsonSchema(shape: z.ZodType): object {
  const { $schema: _, ...schema } = z.toJSONSchema(shape, {
    ...{ target: "openapi-3.0", io: "input", unrepresentable: "any" },
  });
  return schema;
}
