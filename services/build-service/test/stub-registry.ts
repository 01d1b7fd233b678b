import { createHash, randomUUID } from "node:crypto";
import { type ArtifactView, ProblemError, registerArtifact } from "@slipway/contracts";
import type { ServiceApp, ServiceModule } from "@slipway/host";
import type { Digest } from "@slipway/kernel";
import { mediaTypes } from "@slipway/oci";
import type { FastifyRequest } from "fastify";
import { z } from "zod";

/** What the build service needs of a registry, in memory: blobs, manifests by tag, artifacts. Tags never move. */
export type StubRegistry = {
  readonly module: ServiceModule;
  readonly blobs: Map<string, Buffer>;
  /** By `<repository>:<tag>`. */
  readonly manifests: Map<string, { digest: string; bytes: Buffer }>;
  /** Fields of a spec that it does not know, as one of an older version. */
  readonly unknown: string[];
  readonly artifacts: Extract<z.output<NonNullable<typeof registerArtifact.body>>, { digest: string }>[];
};

export function stubRegistry(): StubRegistry {
  const blobs = new Map<string, Buffer>();
  const manifests = new Map<string, { digest: string; bytes: Buffer }>();
  const artifacts: StubRegistry["artifacts"] = [];
  const unknown: string[] = [];
  const module: ServiceModule = {
    name: "artifact-registry",
    schema: "registry",
    config: z.unknown(),
    start: async () => ({
      routes: (app) => {
        serveBlobs(app, blobs);
        serveManifests(app, manifests);
        readManifests(app, manifests);
        app.serve(registerArtifact, async ({ body, now }) => {
          if ("image" in body) throw new Error("a build registers what it has pushed");
          if (unknown.length > 0) {
            const errors = unknown.map((field) => ({ at: `/body/spec/${field}`, message: "is not known here" }));
            throw new ProblemError("request.invalid", `${errors[0]?.at}: is not known here`, { errors });
          }
          artifacts.push(body);
          const view: ArtifactView = {
            ...body,
            image: `stub/${body.service}@${body.digest}`,
            environments: [],
            bad_in: [],
            created_at: now,
          };
          return view;
        });
      },
      ready: async () => undefined,
      close: async () => undefined,
    }),
  };
  return { module, blobs, manifests, artifacts, unknown };
}

function serveBlobs(app: ServiceApp, blobs: Map<string, Buffer>): void {
  const sessions = new Map<string, Buffer[]>();
  app.raw.removeAllContentTypeParsers();
  app.raw.addContentTypeParser("*", { parseAs: "buffer", bodyLimit: 1e9 }, (_request, body, done) => done(null, body));
  const bytes = (request: FastifyRequest): Buffer => (Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0));
  app.raw.get("/v2/", async (request) => {
    await app.authorize(request, ["service"], { challenge: "basic" });
    return {};
  });
  app.raw.route<{ Params: { digest: string } }>({
    method: "HEAD",
    url: "/v2/:name/blobs/:digest",
    handler: async (request, reply) => {
      const found = blobs.get(request.params.digest);
      if (found === undefined) return reply.status(404).send();
      return reply.header("content-length", found.length).send();
    },
  });
  app.raw.get<{ Params: { digest: string } }>("/v2/:name/blobs/:digest", async (request, reply) => {
    const found = blobs.get(request.params.digest);
    return found === undefined ? reply.status(404).send() : reply.type("application/octet-stream").send(found);
  });
  app.raw.post("/v2/:name/blobs/uploads/", async (request, reply) => {
    await app.authorize(request, ["service"], { challenge: "basic" });
    const id = randomUUID();
    sessions.set(id, []);
    return reply.status(202).header("location", `/v2/upload/${id}`).send();
  });
  app.raw.patch<{ Params: { id: string } }>("/v2/upload/:id", { bodyLimit: 1e9 }, async (request, reply) => {
    sessions.get(request.params.id)?.push(bytes(request));
    return reply.status(202).header("location", `/v2/upload/${request.params.id}`).send();
  });
  app.raw.put<{ Params: { id: string }; Querystring: { digest: string } }>(
    "/v2/upload/:id",
    { bodyLimit: 1e9 },
    async (request, reply) => {
      const whole = Buffer.concat([...(sessions.get(request.params.id) ?? []), bytes(request)]);
      if (digestOf(whole) !== request.query.digest) return reply.status(400).send();
      blobs.set(request.query.digest, whole);
      return reply.status(201).send();
    },
  );
}

function serveManifests(app: ServiceApp, manifests: StubRegistry["manifests"]): void {
  app.raw.put<{ Params: { name: string; tag: string } }>("/v2/:name/manifests/:tag", async (request, reply) => {
    const { name, tag } = request.params;
    const bytes = request.body as Buffer;
    const digest = digestOf(bytes);
    const held = manifests.get(`${name}:${tag}`);
    if (held !== undefined && held.digest !== digest) throw new ProblemError("artifact.conflict", "the tag is taken");
    manifests.set(`${name}:${tag}`, { digest, bytes });
    return reply.status(201).header("docker-content-digest", digest).send();
  });
}

function readManifests(app: ServiceApp, manifests: StubRegistry["manifests"]): void {
  app.raw.get<{ Params: { name: string; tag: string } }>("/v2/:name/manifests/:tag", async (request, reply) => {
    const { name, tag } = request.params;
    const held = [...manifests].find(
      ([key, { digest }]) => key === `${name}:${tag}` || (key.startsWith(`${name}:`) && digest === tag),
    )?.[1];
    if (held === undefined) return reply.status(404).send({ errors: [{ code: "MANIFEST_UNKNOWN" }] });
    const { mediaType = mediaTypes.manifest } = JSON.parse(held.bytes.toString("utf8")) as { mediaType?: string };
    return reply.header("docker-content-digest", held.digest).type(mediaType).send(held.bytes);
  });
}

function digestOf(bytes: Buffer): Digest {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}` as Digest;
}
