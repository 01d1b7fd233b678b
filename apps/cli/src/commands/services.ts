import type { Client } from "@slipway/client";
import {
  EnvironmentNameSchema,
  listServices,
  putService,
  ServiceEntry,
  ServiceNameSchema,
  type ServiceView,
} from "@slipway/contracts";
import type { Command } from "commander";
import { allPages } from "../all-pages.ts";
import { Unusable } from "../exit-codes.ts";
import { print, withClient } from "../output.ts";
import { servicesTable } from "../services-table.ts";
import { suggesting } from "../suggest.ts";
import { typed } from "../typed.ts";

type Own = { readonly owner: string; readonly deploysTo?: string; readonly deploysNowhere?: true };

/** `slipway services`: what serves where, since when, and what is under way; `set`: whose one is, and where its builds go by themselves. */
export function servicesCommand(root: Command): void {
  const services = root
    .command("services")
    .description("all services: what serves in which environment, since when, and what is under way")
    .action(() => showServices(root));
  services
    .command("set")
    .description("say whose a service is, and where builds of its main branch are deployed by themselves")
    .argument("<service>")
    .requiredOption(
      "--owner <who>",
      "a person or a team; builds that are deployed by themselves are deployed in their name",
    )
    .option("--deploys-to <environment>", "where builds of main or master go by themselves; never production")
    .option("--deploys-nowhere", "nothing is deployed by itself any more")
    .action((name: string, own: Own) => setService(root, name, own));
}

/** What is not given stays as it is, but for the owner. */
async function setService(root: Command, given: string, { owner, deploysTo, deploysNowhere }: Own): Promise<void> {
  const name = typed(ServiceNameSchema, given);
  if (deploysTo !== undefined && deploysNowhere === true)
    throw new Unusable("--deploys-to and --deploys-nowhere say the opposite: leave one away.");
  const environment = deploysTo === undefined ? undefined : typed(EnvironmentNameSchema, deploysTo, "--deploys-to");
  const to = deploysNowhere === true ? null : environment;
  const body = typed(ServiceEntry, { owner, ...(to === undefined ? {} : { deploys_to: to }) }, { owner: "--owner" });
  await withClient(root, async (client) => {
    const set = await suggesting(client, { environment }, () => client.call(putService, { params: { name }, body }));
    print(root, { ...set, ...body }, `${name} is ${owner}'s${goes(to)}`);
  });
}

function goes(to: string | null | undefined): string {
  if (to === undefined) return "";
  return to === null ? "; nothing is deployed by itself" : `; builds of its main branch are deployed to ${to}`;
}

export async function showServices(root: Command): Promise<void> {
  await withClient(root, async (client) => {
    const services = await allServices(client);
    print(root, { services }, servicesTable(services));
  });
}

async function allServices(client: Client): Promise<readonly ServiceView[]> {
  const pages = await allPages((query) => client.call(listServices, { query }));
  return pages.flatMap(({ services }) => services);
}
