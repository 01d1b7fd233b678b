import type { Client } from "@slipway/client";
import {
  DeploymentIdSchema,
  getDeployment,
  getDeploymentStatus,
  getService,
  listDeployments,
  ProblemError,
  type ServiceView,
} from "@slipway/contracts";
import type { Command } from "commander";
import { isDeploymentId } from "../find-deployment.ts";
import { serviceHere, serviceOr } from "../here.ts";
import type { DeploymentId, ServiceName } from "../ids.ts";
import { environmentOf, requireEnvironment } from "../known-environment.ts";
import { print, withClient } from "../output.ts";
import { servesOrNothing } from "../services-table.ts";
import { showDeployment } from "../show.ts";
import { suggesting } from "../suggest.ts";
import { typed } from "../typed.ts";
import { watchDeployment } from "../watch/watch-deployment.ts";
import { showServices } from "./services.ts";

type Options = { readonly watch?: boolean; readonly env?: string };

/** `slipway status [DEPLOYMENT|SERVICE]`: one deployment; the newest of a service, and what serves of it; or all services. */
export function statusCommand(root: Command): void {
  root
    .command("status")
    .description("how a deployment is doing")
    .argument(
      "[deployment]",
      "e.g. D-4, or a service: its newest one (default: of the service here, else all services)",
    )
    .option("--env <environment>", "of a service's deployments, only those there")
    .option("--watch", "follow it to its end; the exit code says how it ended")
    .action(async (named: string | undefined, own: Options) => {
      const id = named !== undefined && isDeploymentId(named) ? typed(DeploymentIdSchema, named) : undefined;
      if (id !== undefined) return withClient(root, (client) => showOne(root, client, id, own));
      // Nothing was named and nothing is here: what there is, then.
      if (named === undefined && own.watch !== true && serviceHere() === undefined) return showServices(root);
      const name = serviceOr(named);
      const environment = environmentOf(own.env);
      await withClient(root, async (client) => {
        const newestId = await newest(client, name, environment);
        const { live } = await client.call(getService, { params: { name } });
        await showOne(root, client, newestId, own, live);
      });
    });
}

/** `live`: what serves of its service, where that was asked for. */
async function showOne(
  root: Command,
  client: Client,
  id: DeploymentId,
  { watch, env }: Options,
  live?: ServiceView["live"],
): Promise<void> {
  if (watch === true) return watchDeployment(root, client, id);
  const view = await client.call(getDeployment, { params: { id } });
  const status = await client.call(getDeploymentStatus, { params: { id } });
  const said = [showDeployment(view, status), ...(live === undefined ? [] : servesOrNothing(view, live, env))];
  print(root, { ...view, ...status, ...(live === undefined ? {} : { live }) }, said.join("\n"));
}

async function newest(
  client: Client,
  service: ServiceName,
  environment: ReturnType<typeof environmentOf>,
): Promise<DeploymentId> {
  const { deployments } = await client.call(listDeployments, { query: { service, environment, page_size: 1 } });
  const [found] = deployments;
  if (found !== undefined) return found.deployment_id;
  await suggesting(client, { service }, () => client.call(getService, { params: { name: service } }));
  if (environment !== undefined) await requireEnvironment(client, environment);
  const where = environment === undefined ? "" : ` to ${environment}`;
  throw new ProblemError("deployment.not_found", `There was no deployment of ${service}${where} yet.`, {
    remedy: `slipway artifacts list ${service} shows what can be deployed, slipway deploy ${service} VERSION deploys it.`,
  });
}
