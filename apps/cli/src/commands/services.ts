import type { Client } from "@slipway/client";
import { listServices, type ServiceView } from "@slipway/contracts";
import type { Command } from "commander";
import { print, withClient } from "../output.ts";
import { servicesTable } from "../services-table.ts";

/** `slipway services`: what serves where, since when, and what is under way. */
export function servicesCommand(root: Command): void {
  root
    .command("services")
    .description("all services: what serves in which environment, since when, and what is under way")
    .action(() => showServices(root));
}

export async function showServices(root: Command): Promise<void> {
  await withClient(root, async (client) => {
    const services = await allServices(client);
    print(root, { services }, servicesTable(services));
  });
}

async function allServices(client: Client): Promise<readonly ServiceView[]> {
  const all: ServiceView[] = [];
  let page_token: string | undefined;
  do {
    const { services, next_page_token } = await client.call(listServices, { query: { page_size: 500, page_token } });
    all.push(...services);
    page_token = next_page_token ?? undefined;
  } while (page_token !== undefined);
  return all;
}
