import swagger from "@fastify/swagger";
import type { FastifyInstance } from "fastify";
import { jsonSchemaTransform } from "fastify-type-provider-zod";
import { hostOperations } from "./host-operations.ts";
import { pathsOf } from "./raw-paths.ts";

/** Describes every endpoint that is added after this. Raw routes carry no schema: `rawPaths` adds what is said of them. */
export async function describeEndpoints(app: FastifyInstance, version: string): Promise<void> {
  await app.register(swagger, {
    hideUntagged: true,
    transform: jsonSchemaTransform,
    openapi: {
      openapi: "3.1.0",
      info: {
        title: "Slipway",
        version,
        description:
          "Errors are RFC 9457 problems with a code of one closed catalogue. Mutating calls take `Idempotency-Key`.",
      },
      components: {
        securitySchemes: {
          token: { type: "http", scheme: "bearer", description: "slp_…" },
          password: { type: "http", scheme: "basic", description: "Any name; the password is the token" },
          session: { type: "apiKey", in: "cookie", name: "slipway_page", description: "The live page's own" },
        },
      },
    },
  });
}

/** What services say of their raw routes, in the order in which they say it. */
export type DescribedOperations = Parameters<typeof pathsOf>[0];

type Operation = {
  parameters?: object[];
  requestBody?: { required?: boolean };
  [emptyBodyMark]?: true;
};
type Document = { readonly paths: Record<string, { readonly post?: Operation }> };

/** Set on the schema of an endpoint whose body may be left out. */
export const emptyBodyMark = "x-empty-body";

const idempotencyKey = {
  name: "Idempotency-Key",
  in: "header",
  required: false,
  description: "Makes the call safe to repeat for 48 hours: the same key and request get the same answer.",
  schema: { type: "string", minLength: 1, maxLength: 200 },
};

/** Adds the header that every POST takes, and that some bodies may be left out. */
function whatSchemasCannotSay(document: Document, rawPaths: ReturnType<typeof pathsOf>): Document {
  for (const { post } of Object.values(document.paths)) {
    if (post === undefined) continue;
    post.parameters = [...(post.parameters ?? []), idempotencyKey];
    if (post[emptyBodyMark] && post.requestBody !== undefined) post.requestBody.required = false;
    delete post[emptyBodyMark];
  }
  for (const [path, methods] of Object.entries(rawPaths)) {
    document.paths[path] = { ...document.paths[path], ...methods };
  }
  return document;
}

/** No address outside this server: what the page would load from elsewhere stays unloaded. */
const pagePolicy = [
  "default-src 'self'",
  "script-src 'self' 'unsafe-inline' 'unsafe-eval'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "font-src 'self' data:",
  "connect-src 'self'",
  "frame-ancestors 'none'",
].join("; ");

/** /openapi.json and the page /docs. */
export async function serveDocs(app: FastifyInstance, described: DescribedOperations): Promise<void> {
  let document: Document | undefined;
  app.get("/openapi.json", { schema: { hide: true } }, async () => {
    document ??= whatSchemasCannotSay(
      structuredClone(app.swagger()) as unknown as Document,
      pathsOf([...hostOperations.map((operation) => ({ service: "host", operation })), ...described]),
    );
    return document;
  });
  await app.register(async (docs) => {
    docs.addHook("onSend", async (_, reply) => {
      reply.header("content-security-policy", pagePolicy);
    });
    // Five megabytes of page: read only when somebody looks at it would be better, but routes are fixed once we listen.
    const { default: reference } = await import("@scalar/fastify-api-reference");
    await docs.register(reference, {
      routePrefix: "/docs",
      configuration: {
        url: "/openapi.json",
        withDefaultFonts: false,
        telemetry: false,
        // What its maker offers to everybody: assistants, accounts, deployments elsewhere. Nothing of this platform leaves it.
        hideClientButton: true,
        showDeveloperTools: "never",
        agent: { disabled: true },
        mcp: { disabled: true },
      },
    });
  });
}
