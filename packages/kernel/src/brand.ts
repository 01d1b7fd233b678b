/** A nominal type: a string or number that cannot be mixed up with another one of the same shape. */
export type Brand<T, Name extends string> = T & { readonly __brand: Name };

export type DeploymentId = Brand<string, "DeploymentId">;
export type BuildId = Brand<string, "BuildId">;
export type PromotionId = Brand<string, "PromotionId">;
/** `I-3`: an image on its way here from a foreign registry. */
export type ImportId = Brand<string, "ImportId">;
/** `sha256:<64 hex>` of an OCI manifest. */
export type Digest = Brand<string, "Digest">;
/** 40 hex digits of a git commit. */
export type GitSha = Brand<string, "GitSha">;
/** Name of a version's workload in every region: `<service>-<sha7>-<hash5>`. */
export type VersionName = Brand<string, "VersionName">;
export type ServiceName = Brand<string, "ServiceName">;
export type EnvironmentName = Brand<string, "EnvironmentName">;
export type RegionName = Brand<string, "RegionName">;
/** Fencing number of one target (service x environment x region). Comes from Postgres, never reset. */
export type Epoch = Brand<number, "Epoch">;
