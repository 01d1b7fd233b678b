import { approvePromotion, listPromotions } from "@slipway/contracts";
import type { Command } from "commander";
import { findArtifact } from "../find-artifact.ts";
import { findPromotion } from "../find-promotion.ts";
import { print, withClient } from "../output.ts";
import { reasonOf } from "../reason.ts";
import { showPromotion } from "../show-promotion.ts";

/** `slipway promotions list ARTIFACT` and `slipway promotions approve PROMOTION|ARTIFACT`. */
export function promotionsCommand(root: Command): void {
  const promotions = root
    .command("promotions")
    .description("who asked for artifacts to go further, and who approved: list, approve");
  promotions
    .command("list")
    .description("promotions of an artifact with their approval chain, oldest first")
    .argument("<artifact>", "a digest, or a commit of 7 to 40 digits")
    .action((named: string) =>
      withClient(root, async (client) => {
        const answer = await client.call(listPromotions, { params: { digest: await findArtifact(client, named) } });
        const lines = answer.promotions.map(showPromotion);
        print(root, answer, lines.length === 0 ? "Nobody has asked for a promotion of it." : lines.join("\n"));
      }),
    );
  promotions
    .command("approve")
    .description("approve a promotion that somebody else asked for")
    .argument("<promotion>", "e.g. P-7, or an artifact (a digest or a commit) of which one waits")
    .option("--reason <text>", "kept in the audit log")
    .action(async (named: string, own: { readonly reason?: string }) => {
      const body = reasonOf(own.reason);
      await withClient(root, async (client) => {
        const id = await findPromotion(client, named);
        const input = { params: { id }, body, idempotencyKey: crypto.randomUUID() };
        const answer = await client.call(approvePromotion, input);
        print(root, answer, showPromotion(answer));
      });
    });
}
