import { Problem, type RawAnswer, type RawOperation } from "@slipway/contracts";
import { z } from "zod";

type Described = { readonly service: string; readonly operation: RawOperation };
type Paths = Record<string, Record<string, unknown>>;

const jsonSchema = (schema: z.ZodType) => {
  const { $schema, ...rest } = z.toJSONSchema(schema, { unrepresentable: "any" }) as Record<string, unknown>;
  return rest;
};

/** The `paths` part of an OpenAPI document for routes that are no JSON calls. */
export function pathsOf(described: readonly Described[]): Paths {
  const paths: Paths = {};
  for (const { service, operation } of described) {
    const path = openapiPath(operation.path);
    paths[path] = { ...paths[path], [operation.method.toLowerCase()]: operationOf(service, operation) };
  }
  return paths;
}

export function openapiPath(path: string): string {
  return path.replaceAll(/:([A-Za-z_]+)/g, "{$1}");
}

function operationOf(service: string, operation: RawOperation): object {
  const { id, summary, body, roles } = operation;
  return {
    operationId: id,
    summary,
    tags: [service],
    ...(roles === undefined ? {} : { description: `Roles: ${[...new Set([...roles, "admin"])].join(", ")}.` }),
    security: securityOf(operation),
    parameters: parametersOf(operation),
    ...(body === undefined ? {} : { requestBody: { required: true, content: contentOf(body) } }),
    responses: { ...Object.fromEntries(Object.entries(operation.answers).map(answerOf)), ...refusalsOf(operation) },
  };
}

function parametersOf({ path, parameters = [] }: RawOperation): object[] {
  const inPath = [...path.matchAll(/:([A-Za-z_]+)/g)].map(([, name]) => ({ name, in: "path", required: true }));
  return [...inPath, ...parameters].map((parameter) => ({ required: false, schema: { type: "string" }, ...parameter }));
}

function securityOf({ auth }: RawOperation): object[] {
  if (auth === "token") return [{ token: [] }, { password: [] }];
  if (auth === "session") return [{ session: [] }, { token: [] }];
  return [];
}

function contentOf(body: NonNullable<RawOperation["body"]>): object {
  return Object.fromEntries(
    Object.entries(body).map(([type, schema]) => [type, schema === null ? {} : { schema: jsonSchema(schema) }]),
  );
}

function answerOf([status, { description, type, schema }]: [string, RawAnswer]): [string, object] {
  const content = type === undefined ? {} : { content: contentOf({ [type]: schema ?? null }) };
  return [status, { description, ...content }];
}

const ociErrors = z.object({ errors: z.array(z.object({ code: z.string(), message: z.string() })) });

function refusalsOf({ errors }: RawOperation): object {
  if (errors === "none") return {};
  const says = {
    problem: { description: "A problem (RFC 9457)", content: contentOf({ "application/problem+json": Problem }) },
    oci: {
      description: "Errors of the distribution specification",
      content: contentOf({ "application/json": ociErrors }),
    },
    text: { description: "What is wrong, in words", content: contentOf({ "text/plain": null }) },
  }[errors];
  return { "4XX": says, "5XX": says };
}
