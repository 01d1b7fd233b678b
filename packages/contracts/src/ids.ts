import type {
  BuildId,
  DeploymentId,
  Digest,
  EnvironmentName,
  GitSha,
  ImportId,
  PromotionId,
  RegionName,
  ServiceName,
  VersionName,
} from "@slipway/kernel";
import { z } from "zod";

const dnsLabel = /^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$/;

function branded<T extends string>(pattern: RegExp, hint: string) {
  return z.string().regex(pattern, hint) as unknown as z.ZodType<T, string>;
}

export const DeploymentIdSchema = branded<DeploymentId>(/^D-[1-9][0-9]*$/, "a deployment id looks like D-456");
export const BuildIdSchema = branded<BuildId>(/^B-[1-9][0-9]*$/, "a build id looks like B-12");
export const PromotionIdSchema = branded<PromotionId>(/^P-[1-9][0-9]*$/, "a promotion id looks like P-7");
export const ImportIdSchema = branded<ImportId>(/^I-[1-9][0-9]*$/, "an import id looks like I-3");
export const DigestSchema = branded<Digest>(/^sha256:[0-9a-f]{64}$/, "a digest looks like sha256:<64 hex digits>");
export const GitShaSchema = branded<GitSha>(/^[0-9a-f]{40}$/, "a commit is 40 hex digits");
export const ServiceNameSchema = branded<ServiceName>(
  dnsLabel,
  "a service name is lower-case letters, digits and dashes, at most 40, starting with a letter",
);
export const EnvironmentNameSchema = branded<EnvironmentName>(
  dnsLabel,
  "an environment name is lower-case letters, digits and dashes",
);
export const RegionNameSchema = branded<RegionName>(dnsLabel, "a region name is lower-case letters, digits and dashes");
export const VersionNameSchema = branded<VersionName>(
  /^[a-z][a-z0-9-]{0,38}-[0-9a-f]{7}-[a-z2-7]{5}$/,
  "a version looks like orders-3f2a91c-x7k2p",
);
export const InstantSchema = branded<import("@slipway/kernel").Instant>(
  /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/,
  "an instant is RFC 3339 in UTC with milliseconds",
);

const units = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

const durationHint = "a duration looks like 90s, 10m or 24h";

/** `10m`, `90s`, `1500ms`, `24h` (or a number of milliseconds) to milliseconds. */
export const DurationMs = z
  .union([z.number().int().nonnegative(), z.string().regex(/^\d+(\.\d+)?(ms|s|m|h|d)$/, durationHint)], durationHint)
  .transform((value) => (typeof value === "number" ? value : durationMs(value)));

function durationMs(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text);
  if (match === null) throw new Error(`not a duration: ${text}`);
  return Math.round(Number(match[1]) * units[match[2] as keyof typeof units]);
}
