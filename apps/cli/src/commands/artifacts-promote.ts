import { EnvironmentNameSchema, requestPromotion } from "@slipway/contracts";
import type { Command } from "commander";
import { findArtifact } from "../find-artifact.ts";
import { print, withClient } from "../output.ts";
import { showPromotion } from "../show-promotion.ts";
import { suggesting } from "../suggest.ts";
import { typed } from "../typed.ts";

/** `slipway artifacts promote ARTIFACT --to ENVIRONMENT`. */
export function artifactsPromoteCommand(root: Command, artifacts: Command): void {
  artifacts
    .command("promote")
    .description("ask for an artifact to be promoted to the next environment")
    .argument("<artifact>", "a digest, or a commit of 7 to 40 digits")
    .requiredOption("--to <environment>", "where it shall be allowed to run")
    .action(async (named: string, own: { readonly to: string }) => {
      const to = typed(EnvironmentNameSchema, own.to, "--to");
      await withClient(root, async (client) => {
        const digest = await findArtifact(client, named);
        const answer = await suggesting(client, { environment: own.to }, () =>
          client.call(requestPromotion, { params: { digest }, body: { to }, idempotencyKey: crypto.randomUUID() }),
        );
        const next = `slipway promotions approve ${answer.promotion_id} --as approver approves it (whoever asked may not).`;
        print(root, answer, [showPromotion(answer), ...(answer.status === "PENDING" ? [next] : [])].join("\n"));
      });
    });
}
