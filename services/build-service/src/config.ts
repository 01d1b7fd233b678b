import { DurationMs } from "@slipway/contracts";
import { SecretKeys } from "@slipway/secrets";
import { z } from "zod";

/** What the build service reads from the environment. */
export const BuildServiceConfig = z.object({
  /** How steps are isolated. `none` runs them unprotected and bars their artifacts from prod. */
  SLIPWAY_ISOLATION: z.enum(["auto", "bubblewrap", "namespaces", "none"]).default("auto"),
  /** `--no-isolation`: the same as SLIPWAY_ISOLATION=none. */
  SLIPWAY_NO_ISOLATION: z.stringbool().default(false),
  /** Whether repositories may be folders of this machine. */
  SLIPWAY_GIT_ALLOW_FILE: z.stringbool().default(false),
  /** The folder that holds `scan/` and `advisories/`; found beside the sources when absent. */
  SLIPWAY_BUILD_TOOLS: z.string().optional(),
  /** Where the bases that are made of this machine are kept, for all of its platforms; `base/` in the data folder when absent. */
  SLIPWAY_BASES: z.string().min(1).optional(),
  /** Builds that run at once; further ones wait. */
  SLIPWAY_MAX_BUILDS: z.coerce.number().int().min(1).default(4),
  /** Steps that run at once in this process. */
  SLIPWAY_MAX_STEPS: z.coerce.number().int().min(1).default(4),
  /** Mirrors and credentials of image registries: `docker.io=https://mirror.example,ghcr.io=https://me:token@ghcr.io`. */
  SLIPWAY_IMAGE_REGISTRIES: z.string().default(""),
  /** What the kept folders of all steps may have together, in MiB; those used longest ago go first. */
  SLIPWAY_CACHE_MIB: z.coerce.number().int().min(0).default(2_048),
  /** Workspaces that no build needs any more are removed when nothing changed in them for so long. */
  SLIPWAY_KEEP_WORKSPACES: DurationMs.default(3_600_000),
  /** Answers of webhook deliveries: so long the same one builds nothing a second time. They are small, and what is forgotten can be replayed. */
  SLIPWAY_KEEP_DELIVERIES: DurationMs.default(3_650 * 86_400_000),
  /** What builds printed is removed so long after they began. */
  SLIPWAY_KEEP_BUILD_LOGS: DurationMs.default(90 * 86_400_000),
  /** So long after a build has ended its log moves into the object store. */
  SLIPWAY_MOVE_BUILD_LOGS: DurationMs.default(3_600_000),
  ...SecretKeys.shape,
});
export type BuildServiceConfig = z.infer<typeof BuildServiceConfig>;
