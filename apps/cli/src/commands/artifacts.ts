import type { Command } from "commander";
import { artifactsAddCommand } from "./artifacts-add.ts";
import { artifactsListCommand } from "./artifacts-list.ts";
import { artifactsPromoteCommand } from "./artifacts-promote.ts";
import { artifactsPublishCommand } from "./artifacts-publish.ts";

/** `slipway artifacts`: what can be deployed. */
export function artifactsCommand(root: Command): void {
  const artifacts = root.command("artifacts").description("images that can be deployed: list, add, promote, publish");
  const all = [artifactsListCommand, artifactsAddCommand, artifactsPromoteCommand, artifactsPublishCommand];
  for (const add of all) add(root, artifacts);
}
