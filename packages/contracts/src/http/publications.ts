import { z } from "zod";
import { DigestSchema, InstantSchema } from "../ids.ts";
import { WaitingView } from "./common.ts";
import { endpoint } from "./endpoint.ts";

/** How an artifact's image is doing in the registry that regions pull from, where the operator has named one. */
export const PublicationView = z.object({
  /** As pods name it: `<host>/<repository>@<digest>`. */
  image: z.string(),
  host: z.string(),
  /** NOT_PUBLISHED: it was registered before anything was published, and is copied for its next deployment. */
  status: z.enum(["NOT_PUBLISHED", "COPYING", "PUBLISHED", "FAILED"]),
  waiting: WaitingView.nullable(),
  /** Why the copy has failed, and what to do. */
  reason: z.string().nullable(),
  bytes_total: z.number().int().nullable(),
  bytes_copied: z.number().int(),
  requested_at: InstantSchema.nullable(),
  /** A copy that is not done by then has failed. */
  deadline_at: InstantSchema.nullable(),
  /** When it was first known to be there whole. */
  published_at: InstantSchema.nullable(),
  /** When it was last found there whole; null while it is not PUBLISHED. */
  seen_at: InstantSchema.nullable(),
  ended_at: InstantSchema.nullable(),
});
export type PublicationView = z.infer<typeof PublicationView>;

export const publishArtifact = endpoint({
  id: "publishArtifact",
  method: "POST",
  path: "/api/v1/artifacts/:digest/publication",
  summary:
    "Have an artifact's image looked for in the registry that regions pull from, and copied where it is not there",
  roles: ["service", "deployer"],
  params: z.object({ digest: DigestSchema }),
  body: z.strictObject({}),
  emptyBody: true,
  status: 202,
  response: PublicationView,
});
