import type { DeploymentIdSchema, DigestSchema, PromotionIdSchema, ServiceNameSchema } from "@slipway/contracts";
import type { z } from "zod";

export type DeploymentId = z.infer<typeof DeploymentIdSchema>;
export type Digest = z.infer<typeof DigestSchema>;
export type PromotionId = z.infer<typeof PromotionIdSchema>;
export type ServiceName = z.infer<typeof ServiceNameSchema>;
