import { rollbackDeployment } from "@slipway/contracts";
import type { Command } from "commander";
import { move } from "./move.ts";

/** `slipway rollback DEPLOYMENT`. */
export function rollbackCommand(root: Command): void {
  root
    .command("rollback")
    .description("take a deployment's version back everywhere")
    .argument("<deployment>", "e.g. D-4")
    .option("--reason <text>", "kept in the audit log")
    .action((id: string, own: { readonly reason?: string }) => move(root, rollbackDeployment, id, own));
}
