import type { Client } from "@slipway/client";
import { listPromotions, ProblemError, PromotionIdSchema } from "@slipway/contracts";
import { Unusable } from "./exit-codes.ts";
import { findArtifact } from "./find-artifact.ts";
import type { PromotionId } from "./ids.ts";
import { typed } from "./typed.ts";

/** The promotion that was named by its id, or by its artifact, of which one waits for an approval. */
export async function findPromotion(client: Client, named: string): Promise<PromotionId> {
  if (/^P-/.test(named)) return typed(PromotionIdSchema, named);
  const digest = await findArtifact(client, named);
  const { promotions } = await client.call(listPromotions, { params: { digest } });
  const [first, second] = promotions.filter(({ status }) => status === "PENDING");
  const remedy = `slipway promotions list ${named} shows them all.`;
  if (first === undefined) {
    throw new ProblemError("promotion.not_found", `No promotion of ${named} waits for an approval.`, { remedy });
  }
  if (second === undefined) return first.promotion_id;
  const waiting = [first, second].map(({ promotion_id, to }) => `${promotion_id} to ${to}`).join(", ");
  throw new Unusable(`More than one promotion of ${named} waits: ${waiting}.`, "Name the one that is meant.");
}
