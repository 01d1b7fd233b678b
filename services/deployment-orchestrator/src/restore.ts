import { acceptRestore, getRestore, ProblemError, type RestoreDifference } from "@slipway/contracts";
import { appendAudit } from "@slipway/durable";
import type { ServiceApp } from "@slipway/host";
import type { DeploymentId, Instant, RegionName } from "@slipway/kernel";
import type { Observed } from "./behind.ts";
import { terminalPhases } from "./domain/deployment.ts";
import type { Fact } from "./domain/input.ts";
import { liveVersions } from "./live.ts";
import type { Service } from "./service.ts";
import { raiseDeploymentNumber, unendedDeployments } from "./store.ts";

type Unread = { region: RegionName; reason: string };

/** What a database that was restored to an older state differs in from the regions, and the way on from there. */
export function restoreRoutes(app: ServiceApp, service: Service): void {
  app.serve(getRestore, () => compareRestored(service));
  app.serve(acceptRestore, ({ body, principal, now }) => acceptRestored(service, body, principal.name, now));
}

export async function compareRestored(service: Service) {
  // In the usual case nothing is asked of the regions: they are compared all the time.
  const { unread } = (await service.behind.observed()).length === 0 ? { unread: [] } : await readFences(service);
  const differences = await differencesOf(service);
  return { observing: differences.length > 0, differences, unread };
}

/** Reads every region's fences now. Answers the highest deployment number that any of them names. */
async function readFences({ regions, behind }: Service): Promise<{ unread: Unread[]; highest: number }> {
  const unread: Unread[] = [];
  const read = async (region: RegionName): Promise<number> => {
    try {
      const seen = await (await regions.cluster(region)).listFences();
      await behind.note(region, seen, true);
      return Math.max(0, ...seen.map(({ fence }) => numberOf(fence.holder)));
    } catch (error) {
      unread.push({ region, reason: error instanceof Error ? error.message : String(error) });
      return 0;
    }
  };
  const highest = Math.max(0, ...(await Promise.all(regions.names.map(read))));
  return { unread, highest };
}

function numberOf(holder: string): number {
  const digits = /^D-([1-9]\d{0,14})$/.exec(holder)?.[1];
  return digits === undefined ? 0 : Number(digits);
}

async function differencesOf(service: Service): Promise<RestoreDifference[]> {
  return Promise.all((await service.behind.observed()).map((target) => differenceOf(service, target)));
}

async function differenceOf(service: Service, target: Observed): Promise<RestoreDifference> {
  const { environment, region, epochHere, epochThere, fence, weights, since } = target;
  const traffic = service.regions.cluster(region).then((cluster) => cluster.readTraffic(target));
  const [there, here] = await Promise.all([
    traffic.then((found) => found.liveVersion).catch(() => null),
    liveVersions(service, target.service),
  ]);
  return {
    id: `${target.service}/${environment}/${region}@${fence}`,
    ...{ service: target.service, environment, region, since, weights },
    epoch_here: epochHere,
    epoch_there: epochThere,
    holder_there: fence.split("/")[3] ?? "",
    live_here: here[environment]?.[region]?.version ?? null,
    live_there: there,
  };
}

/**
 * The order matters, since it may break off anywhere and is then asked again: what the database believed is void before any new grant, and the
 * targets stay observed until the epochs are above the regions'.
 */
export async function acceptRestored(
  service: Service,
  { expected, reason }: { expected: readonly string[]; reason?: string | undefined },
  by: string,
  now: Instant,
) {
  const { unread, highest } = await readFences(service);
  const accepted = await differencesOf(service);
  if (accepted.length === 0) {
    throw new ProblemError("restore.nothing", "No region that answers carries a newer grant than the database.");
  }
  const unseen = accepted.filter(({ id }) => !expected.includes(id));
  if (unseen.length > 0) {
    const which = unseen.map(({ id }) => id).join(", ");
    throw new ProblemError("restore.changed", `The regions differ in more than was expected: ${which}.`, {
      remedy: "Read GET /api/v1/restore again and accept what it shows.",
    });
  }
  await service.db.transaction().execute(async (tx) => {
    await raiseDeploymentNumber(tx, highest);
    const detail = { reason: reason ?? null, differences: accepted };
    await appendAudit(tx, { actor: by, action: "restore.accepted", subject: "database", detail, at: now });
  });
  const voided = await voidDeployments(service, accepted, by);
  for (const { epoch_there, ...target } of accepted) await service.locks.skipTo(target, epoch_there);
  await service.behind.forget(accepted);
  return { accepted, voided, unread };
}

/** Those under way on a target that has moved on without them, whatever phase the database has them in. */
async function voidDeployments(service: Service, targets: readonly RestoreDifference[], by: string) {
  const reason = `the database was restored to an older state and ${by} accepted what the regions show`;
  const voided: DeploymentId[] = [];
  for (const { plan } of await unendedDeployments(service.db, terminalPhases)) {
    const hit = targets.some(
      (target) =>
        target.service === plan.service &&
        target.environment === plan.environment &&
        plan.regions.includes(target.region),
    );
    if (!hit) continue;
    await service.durable.send(service.machine, plan.id, (at): Fact => ({ type: "Voided", by, reason, now: at }));
    voided.push(plan.id);
  }
  return voided;
}
