import type { ServiceView } from "@slipway/contracts";
import type { EnvironmentName, ServiceName } from "@slipway/kernel";
import { statusOf } from "./domain/view.ts";
import type { Service } from "./service.ts";
import { findService, liveRows, serviceNames, underWay, wasDeployed } from "./store.ts";

export type Live = ServiceView["live"];

/** Per environment and region: the newest version that came to 100% and was not replaced. */
export async function liveVersions({ db }: Pick<Service, "db">, name: ServiceName): Promise<Live> {
  return byPlace(await liveRows(db, [name]));
}

/** Undefined where nobody has registered or deployed it. */
export async function serviceView({ db }: Pick<Service, "db">, name: ServiceName): Promise<ServiceView | undefined> {
  const found = await findService(db, name);
  const deploys_to = (found?.deploys_to ?? null) as EnvironmentName | null;
  const [view] = await withWhatRuns({ db }, [{ name, owner: found?.owner ?? null, deploys_to }]);
  if (view === undefined) return undefined;
  return found !== undefined || (await wasDeployed(db, name)) ? view : undefined;
}

/** Services by name, a page of them. */
export async function serviceViews(
  { db }: Pick<Service, "db">,
  page: { readonly limit: number; readonly offset: number },
): Promise<readonly ServiceView[]> {
  return withWhatRuns({ db }, await serviceNames(db, page));
}

type Known = Awaited<ReturnType<typeof serviceNames>>[number];

async function withWhatRuns({ db }: Pick<Service, "db">, known: readonly Known[]): Promise<ServiceView[]> {
  const names = known.map(({ name }) => name);
  const [live, moving] = await Promise.all([liveRows(db, names), underWay(db, names)]);
  return known.map(({ name, owner, deploys_to }) => ({
    name,
    owner: owner ?? "nobody yet",
    deploys_to,
    live: byPlace(live.filter(({ service }) => service === name)),
    under_way: moving
      .filter(({ plan }) => plan.service === name)
      .map((state) => ({
        deployment_id: state.plan.id,
        environment: state.plan.environment,
        version: state.plan.version,
        status: statusOf(state),
      })),
  }));
}

function byPlace(rows: Awaited<ReturnType<typeof liveRows>>): Live {
  const live: Live = {};
  for (const { environment, region, version, digest, verified, deployment_id, since } of rows) {
    const here = live[environment] ?? {};
    live[environment] = { ...here, [region]: { version, digest, verified, deployment_id, since } };
  }
  return live;
}
