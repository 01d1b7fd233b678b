import { z } from "zod";
import {
  DigestSchema,
  EnvironmentNameSchema,
  GitShaSchema,
  InstantSchema,
  PromotionIdSchema,
  ServiceNameSchema,
} from "../ids.ts";
import { RunSpec, SlipwayFile } from "../slipway-file.ts";
import { Page, Reason } from "./common.ts";
import { anyRole, endpoint } from "./endpoint.ts";
import { ExternalRegistration, ImportView } from "./imports.ts";
import { PublicationView } from "./publications.ts";

/** How an image was built here. */
export const BuiltProvenance = z.object({
  builder: z.string().refine((builder) => builder !== "external", "external names what was built elsewhere"),
  build_id: z.string().nullable(),
  repository: z.string().nullable(),
  /** `none` bars the artifact from prod. */
  isolation: z.enum(["bubblewrap", "namespaces", "kubernetes", "none"]),
  limits: z.string(),
  /** Whether the repository has a slipway.yaml or its pipeline was detected; absent in what was registered before that was told. */
  pipeline: z.enum(["slipway.yaml", "detected"]).optional(),
  started_at: InstantSchema,
  finished_at: InstantSchema,
  /** Images that were used, each fixed by its digest (`node:24@sha256:…`): by a step (`step compile`), or as the base (`base`). */
  images: z.array(z.object({ used_by: z.string(), image: z.string() })).optional(),
  /** Where the image was built of a Dockerfile: which one, and by which step, whose image is BuildKit's. The images that it stands on are `used_by` `Dockerfile`. */
  dockerfile: z.object({ step: z.string(), path: z.string(), target: z.string().nullable() }).optional(),
});
export type BuiltProvenance = z.infer<typeof BuiltProvenance>;

/** What is known of an image that was built elsewhere: where it was copied from, and who vouches for it. */
export const ExternalProvenance = z.object({
  builder: z.literal("external"),
  /** As it was asked for: `<host>/<repository>@<digest>`, of an index where it is one. */
  source: z.string(),
  /** Of the manifest that runs here, e.g. `linux/amd64`. */
  platform: z.string(),
  registered_by: z.string(),
  registered_at: InstantSchema,
  /** Whether the commit is what the caller said, or what the image's label says of itself. */
  git_sha_from: z.enum(["request", "label"]),
  /** Nobody here saw the build. */
  isolation: z.literal("unknown"),
});
export type ExternalProvenance = z.infer<typeof ExternalProvenance>;

/** Where an artifact came from and how it was made. */
export const Provenance = z.union([ExternalProvenance, BuiltProvenance]);
export type Provenance = z.infer<typeof Provenance>;

export const ArtifactView = z.object({
  digest: DigestSchema,
  service: ServiceNameSchema,
  git_sha: GitShaSchema,
  /** `<host>/<service>@<digest>`, ready to pull: where it is published once it is there, else from the platform itself. */
  image: z.string(),
  /** Null where images are published nowhere; absent in answers of earlier versions. */
  publication: PublicationView.nullish(),
  /** Without pipeline and image where the image was built elsewhere. */
  spec: z.union([SlipwayFile, RunSpec]),
  provenance: Provenance,
  /** Environments the artifact may run in, in the order it got there. The first is where registering puts it. */
  environments: z.array(z.object({ environment: EnvironmentNameSchema, at: InstantSchema, by: z.string() })),
  bad_in: z.array(EnvironmentNameSchema),
  created_at: InstantSchema,
});
export type ArtifactView = z.infer<typeof ArtifactView>;

export const PromotionView = z.object({
  promotion_id: PromotionIdSchema,
  digest: DigestSchema,
  service: ServiceNameSchema,
  from: EnvironmentNameSchema,
  to: EnvironmentNameSchema,
  status: z.enum(["PENDING", "PROMOTED", "REJECTED"]),
  requested_by: z.string(),
  requested_at: InstantSchema,
  approvals_needed: z.number().int(),
  approvals: z.array(z.object({ by: z.string(), at: InstantSchema, reason: z.string().nullable() })),
  decided_at: InstantSchema.nullable(),
});
export type PromotionView = z.infer<typeof PromotionView>;

const byDigest = z.object({ digest: DigestSchema });

/** What services register: an image that stands in the registry under its commit. */
const BuiltRegistration = z.strictObject({
  service: ServiceNameSchema,
  git_sha: GitShaSchema,
  digest: DigestSchema,
  spec: SlipwayFile,
  provenance: BuiltProvenance,
});

/**
 * Two shapes. Services register what they have pushed, and get the artifact. People register an image of another registry (`image`),
 * which is copied here first: they get the import, whose `artifact` is there once it is REGISTERED.
 */
export const registerArtifact = endpoint({
  id: "registerArtifact",
  method: "POST",
  path: "/api/v1/artifacts",
  summary:
    "Register an image as an artifact of a service: one that is in the registry, or one of another registry, which is copied",
  roles: ["service", "deployer"],
  body: z.union([BuiltRegistration, ExternalRegistration]),
  status: 201,
  response: z.union([ArtifactView, ImportView]),
});

export const listArtifacts = endpoint({
  id: "listArtifacts",
  method: "GET",
  path: "/api/v1/artifacts",
  summary: "Artifacts, newest first",
  roles: anyRole,
  query: Page.extend({
    service: ServiceNameSchema.optional(),
    git_sha: z
      .string()
      .regex(/^[0-9a-f]{7,40}$/)
      .optional(),
  }),
  status: 200,
  response: z.object({ artifacts: z.array(ArtifactView), next_page_token: z.string().nullable() }),
});

export const getArtifact = endpoint({
  id: "getArtifact",
  method: "GET",
  path: "/api/v1/artifacts/:digest",
  summary: "One artifact",
  roles: anyRole,
  params: byDigest,
  status: 200,
  response: ArtifactView,
});

export const requestPromotion = endpoint({
  id: "requestPromotion",
  method: "POST",
  path: "/api/v1/artifacts/:digest/promotions",
  summary: "Ask for an artifact to be promoted to the next environment",
  roles: ["deployer"],
  params: byDigest,
  body: z.strictObject({ to: EnvironmentNameSchema }),
  status: 201,
  response: PromotionView,
});

export const listPromotions = endpoint({
  id: "listPromotions",
  method: "GET",
  path: "/api/v1/artifacts/:digest/promotions",
  summary: "Promotions of an artifact with their approval chain",
  roles: anyRole,
  params: byDigest,
  status: 200,
  response: z.object({ promotions: z.array(PromotionView) }),
});

export const approvePromotion = endpoint({
  id: "approvePromotion",
  method: "POST",
  path: "/api/v1/promotions/:id/approvals",
  summary: "Approve a promotion somebody else asked for",
  roles: ["approver"],
  params: z.object({ id: PromotionIdSchema }),
  body: z.strictObject({ reason: Reason.optional() }),
  emptyBody: true,
  status: 200,
  response: PromotionView,
});
