import { z } from "zod";

const methods = ["get", "head", "post", "put", "patch", "delete"] as const;
const Schema = z.looseObject({});
const Operation = z.looseObject({
  operationId: z.string(),
  tags: z.array(z.string()),
  summary: z.string(),
  security: z.array(z.looseObject({})).optional(),
  parameters: z
    .array(
      z.looseObject({ name: z.string(), in: z.enum(["path", "query", "header"]), required: z.boolean().optional() }),
    )
    .default([]),
  requestBody: z
    .looseObject({ content: z.record(z.string(), z.looseObject({ schema: Schema.optional() })) })
    .optional(),
  responses: z.record(z.string(), z.looseObject({ description: z.string() })),
});
const Document = z.looseObject({
  openapi: z.string().startsWith("3.1"),
  paths: z.record(z.string().startsWith("/"), z.partialRecord(z.enum(methods), Operation)),
});

export type OpenapiOperation = z.output<typeof Operation> & { readonly method: string; readonly path: string };

/** The operations of an OpenAPI document, read strictly enough to call them. */
export function operationsOf(document: unknown): readonly OpenapiOperation[] {
  const { paths } = Document.parse(document);
  return Object.entries(paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, operation]) => ({ ...operation, method: method.toUpperCase(), path })),
  );
}
