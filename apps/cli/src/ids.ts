import type { DeploymentIdSchema, DigestSchema, ServiceNameSchema } from "@slipway/contracts";
import type { z } from "zod";

export type DeploymentId = z.infer<typeof DeploymentIdSchema>;
export type Digest = z.infer<typeof DigestSchema>;
export type ServiceName = z.infer<typeof ServiceNameSchema>;
