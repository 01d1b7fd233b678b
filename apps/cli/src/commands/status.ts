import type { Client } from "@slipway/client";
import {
  DeploymentIdSchema,
  EnvironmentNameSchema,
  getDeployment,
  getDeploymentStatus,
  listDeployments,
  ProblemError,
} from "@slipway/contracts";
import type { Command } from "commander";
import { serviceOr } from "../here.ts";
import type { DeploymentId } from "../ids.ts";
import { print, withClient } from "../output.ts";
import { showDeployment } from "../show.ts";
import { suggesting } from "../suggest.ts";
import { typed } from "../typed.ts";
import { watchDeployment } from "../watch/watch-deployment.ts";

type Options = { readonly watch?: boolean; readonly env?: string };

/** `slipway status [DEPLOYMENT|SERVICE]`: one deployment, or the newest of a service. */
export function statusCommand(root: Command): void {
  root
    .command("status")
    .description("how a deployment is doing")
    .argument("[deployment]", "e.g. D-4, or a service: its newest one (default: of the service here)")
    .option("--env <environment>", "of a service's deployments, only those there")
    .option("--watch", "follow it to its end; the exit code says how it ended")
    .action(async (named: string | undefined, own: Options) => {
      const chosen = named !== undefined && /^D-|^\d/.test(named) ? typed(DeploymentIdSchema, named) : undefined;
      const service = chosen === undefined ? serviceOr(named) : undefined;
      await withClient(root, async (client) => {
        const id = chosen ?? (await newest(client, service ?? "", own.env));
        if (own.watch === true) return watchDeployment(root, client, id);
        const view = await client.call(getDeployment, { params: { id } });
        const status = await client.call(getDeploymentStatus, { params: { id } });
        print(root, { ...view, ...status }, showDeployment(view, status));
      });
    });
}

async function newest(client: Client, service: string, env: string | undefined): Promise<DeploymentId> {
  const environment = env === undefined ? undefined : typed(EnvironmentNameSchema, env);
  return suggesting(client, { service, environment: env }, async () => {
    const { deployments } = await client.call(listDeployments, { query: { service, environment, page_size: 1 } });
    const where = env === undefined ? "" : ` to ${env}`;
    const [found] = deployments;
    if (found === undefined)
      throw new ProblemError("service.not_found", `There was no deployment of ${service}${where} yet.`);
    return found.deployment_id;
  });
}
