import type { RestoreDifference } from "@slipway/contracts";
import type { Command } from "commander";
import { connect } from "../connection.ts";
import { type Common, print } from "../output.ts";
import { reasonOf } from "../reason.ts";

/** `slipway restore`: what a restored database differs in from the regions, and going on from there. */
export function restoreCommand(root: Command): void {
  const restore = root
    .command("restore")
    .description("where the regions have moved on beyond a database that was restored to an older state")
    .action(async () => {
      const { getRestore } = await import("@slipway/contracts");
      const found = await (await connect(root.opts<Common>())).call(getRestore, {});
      print(root, found, showRestore(found));
    });
  restore
    .command("accept")
    .description("accept what the regions show: deployments of the lost time are void (needs an admin's token)")
    .option("--yes", "do it; without it only the differences are shown")
    .option("--reason <text>", "kept in the audit log")
    .action(async (own: { yes?: boolean; reason?: string }) => {
      const { acceptRestore, getRestore } = await import("@slipway/contracts");
      const reason = reasonOf(own.reason);
      // Only an admin may: whoever named nobody means the local one.
      const client = await connect({ as: "admin", ...root.opts<Common>() });
      const found = await client.call(getRestore, {});
      if (own.yes !== true || !found.observing) {
        const hint = found.observing ? "\nNothing was changed. Accept it with --yes." : "";
        print(root, found, `${showRestore(found)}${hint}`);
        if (found.observing) process.exitCode = 1;
        return;
      }
      const expected = found.differences.map(({ id }) => id);
      const answer = await client.call(acceptRestore, { body: { expected, ...reason } });
      const voided = answer.voided.length === 0 ? "no deployment" : answer.voided.join(", ");
      print(root, answer, `${showRestore({ ...found, unread: answer.unread })}\nAccepted; void: ${voided}.`);
    });
}

type Found = {
  readonly differences: readonly RestoreDifference[];
  readonly unread: readonly { readonly region: string; readonly reason: string }[];
};

/** One block of lines for each target: epoch, live version and weights, here and there. */
export function showRestore({ differences, unread }: Found): string {
  const blocks = differences.map((own) => {
    const weights = Object.entries(own.weights).filter(([, percent]) => percent > 0);
    return [
      `${own.service} in ${own.environment}, ${own.region}`,
      `  database  epoch ${own.epoch_here}  live ${own.live_here ?? "unknown"}`,
      `  region    epoch ${own.epoch_there}  live ${own.live_there ?? "unknown"}  last written by ${own.holder_there}`,
      `  weights   ${weights.map(([name, percent]) => `${name} ${percent}%`).join(", ") || "none"}`,
    ].join("\n");
  });
  const away = unread.map(({ region, reason }) => `${region} could not be read: ${reason}`);
  if (blocks.length === 0) blocks.push("No region that answers carries a newer grant than the database.");
  return [...blocks, ...away].join("\n");
}
