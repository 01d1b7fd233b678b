import { z } from "zod";
import { DigestSchema, GitShaSchema, ImportIdSchema, InstantSchema, ServiceNameSchema } from "../ids.ts";
import { RunSpec } from "../slipway-file.ts";
import { Page, WaitingView } from "./common.ts";
import { anyRole, endpoint } from "./endpoint.ts";

const ExternalImage = z
  .string()
  .max(600)
  .refine((image) => !image.includes("://"), "an image is named without https://")
  .refine(
    (image) => /@sha256:[0-9a-f]{64}$/.test(image),
    "an image is named by its digest, <host>/<name>@sha256:<64 hex digits>: a tag may move",
  )
  .refine(
    (image) => /^([^/@]*[.:][^/@]*|localhost)\/[^@:]+@/.test(image),
    "an image begins with its registry's host and has no tag beside the digest, e.g. docker.io/library/nginx@sha256:…",
  );

/** How a person registers an image that was built elsewhere. Credentials are used for this copy, never kept and never shown. */
export const ExternalRegistration = z.strictObject({
  service: ServiceNameSchema,
  /** `<host>/<repository>@sha256:…`; of an index, the manifest of `platform` is taken. */
  image: ExternalImage,
  /** Default: the image's label org.opencontainers.image.revision. */
  git_sha: GitShaSchema.optional(),
  /** slipway.yaml without pipeline and image; `version` and `service` may be left out. */
  spec: RunSpec.omit({ service: true, version: true })
    .extend({ version: z.literal(1).default(1), service: ServiceNameSchema.optional() })
    .prefault({}),
  /** Default: that of the registry's own machine. */
  platform: z
    .string()
    .regex(/^linux\/[a-z0-9]+(\/[a-z0-9]+)?$/, "a platform looks like linux/amd64")
    .optional(),
  credentials: z
    .strictObject({ username: z.string().min(1).max(300), password: z.string().min(1).max(20_000) })
    .optional(),
});
export type ExternalRegistration = z.infer<typeof ExternalRegistration>;

export const ImportView = z.object({
  import_id: ImportIdSchema,
  service: ServiceNameSchema,
  /** As it was asked for. */
  image: z.string(),
  status: z.enum(["COPYING", "REGISTERED", "FAILED"]),
  /** Of the artifact; null until it is registered. With an index as source it is that of the platform's manifest. */
  digest: DigestSchema.nullable(),
  git_sha: GitShaSchema.nullable(),
  bytes_total: z.number().int().nullable(),
  bytes_copied: z.number().int(),
  waiting: WaitingView.nullable(),
  reason: z.string().nullable(),
  requested_by: z.string(),
  requested_at: InstantSchema,
  /** A copy that is not done by then has failed. */
  deadline_at: InstantSchema,
  ended_at: InstantSchema.nullable(),
});
export type ImportView = z.infer<typeof ImportView>;

export const getImport = endpoint({
  id: "getImport",
  method: "GET",
  path: "/api/v1/imports/:id",
  summary: "How the copy of a foreign image is doing",
  roles: anyRole,
  params: z.object({ id: ImportIdSchema }),
  status: 200,
  response: ImportView,
});

export const listImports = endpoint({
  id: "listImports",
  method: "GET",
  path: "/api/v1/imports",
  summary: "Copies of foreign images, newest first",
  roles: anyRole,
  query: Page.extend({ service: ServiceNameSchema.optional() }),
  status: 200,
  response: z.object({ imports: z.array(ImportView), next_page_token: z.string().nullable() }),
});
