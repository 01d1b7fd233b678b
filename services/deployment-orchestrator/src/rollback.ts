import { deploymentTopic, type Judgement, ProblemError } from "@slipway/contracts";
import type { Principal } from "@slipway/host";
import { type DeploymentId, type Instant, type RegionName, within } from "@slipway/kernel";
import { acceptDeployment } from "./accept.ts";
import { auditOnce } from "./audit-once.ts";
import { evidenceOf } from "./domain/audit-take-back.ts";
import type { TakenBack } from "./domain/command.ts";
import type { Deployment, In, Plan } from "./domain/deployment.ts";
import type { Input } from "./domain/input.ts";
import { foundBad, publish } from "./domain/moves.ts";
import { wholePlan } from "./domain/plan.ts";
import { eventOf } from "./event-of.ts";
import { liveVersions } from "./live.ts";
import { refuseWhileObserving } from "./observing.ts";
import type { Service } from "./service.ts";
import { foundBadSince, listDeployments, numberOf } from "./store.ts";

const answersWithinMs = 2_000;

/**
 * The way back from a verified version: a deployment of its own that goes to the version verified before it (and not found bad since), takes the lock by preemption
 * and needs no gate. Throws deployment.no_rollback_target when no such version is known, secret.missing when a value that it ran with is gone.
 */
export async function rollBackVerified(
  service: Service,
  state: In<"verified">,
  { principal, reason }: { readonly principal: Principal; readonly reason: string },
  now: Instant,
  key: string | undefined,
): Promise<Deployment> {
  await refuseWhileObserving(service.behind, state.plan, state.plan.regions);
  await refuseUnlessLive(service, state);
  return acceptWayBack(service, state, { by: principal.name, reason, because: "Rollback" }, now, key);
}

/** Who wants it and why, with what the judge found where it was the judge. */
type Why = {
  readonly by: string;
  readonly reason: string;
  readonly because: Input["type"];
  readonly judgement?: Judgement;
};

async function acceptWayBack(
  service: Service,
  state: In<"verified">,
  why: Why,
  now: Instant,
  key: string | undefined,
): Promise<Deployment> {
  const target = await lastVerifiedBefore(service, state);
  if (target === undefined) {
    throw new ProblemError(
      "deployment.no_rollback_target",
      `No version was verified before ${state.plan.version} in ${state.plan.environment}.`,
      {
        remedy: "Deploy another version.",
      },
    );
  }
  // Said now rather than by pods that never start: the values that it ran with may have been removed.
  const { service: name, environment, workload } = target.plan;
  await service.secrets.read({ service: name, scope: environment }, workload.secrets ?? {});
  const baselines = Object.fromEntries(state.plan.regions.map((region) => [region, state.plan.version]));
  const { id: _former, ...former } = target.plan;
  const draft: Omit<Plan, "id"> = {
    ...former,
    strategy: "rollback",
    initial: false,
    steps: wholePlan(0),
    regions: state.plan.regions,
    baselines,
    requestedBy: why.by,
    createdAt: now,
    rollsBack: state.plan.id,
  };
  return acceptDeployment(service, draft, key, (id) => ({
    audit: {
      ...{ actor: why.by, action: "deployment.rollback", subject: state.plan.id, at: now },
      detail: takenBack(state, why, id),
    },
    command: publish(foundBad(state, why, { wayBack: id })),
  }));
}

function takenBack({ plan, regions }: In<"verified">, why: Why, wayBack: DeploymentId): TakenBack {
  const { service, environment, version } = plan;
  const { reason, because, judgement } = why;
  const weights = Object.fromEntries(plan.regions.map((region) => [region, regions[region]?.weightPercent ?? 0]));
  const evidence = judgement === undefined ? null : { gate: null, ...evidenceOf(judgement) };
  const verdict = judgement?.verdict ?? null;
  return { service, environment, version, weights, reason, because, verdict, evidence, rolled_back_by: wayBack };
}

/**
 * A FAIL of a verified version: the way back is deployed at once, by preemption. Nobody asked, so that nothing is thrown: where there is no way
 * back the watch's event has paged, and why is in the audit log.
 */
export async function rollBackFailed(service: Service, state: In<"verified">, judgement: Judgement): Promise<void> {
  const { id, service: name, environment, version } = state.plan;
  const now = service.clock.now();
  try {
    await refuseWhileObserving(service.behind, state.plan, state.plan.regions);
    const why = { by: "rollback-controller", reason: judgement.sentence, because: "WatchFailed", judgement } as const;
    await acceptWayBack(service, state, why, now, `watch-failed-${id}`);
  } catch (error) {
    if (!(error instanceof ProblemError)) throw error;
    const by = "rollback-controller";
    const bad = foundBad(state, { reason: judgement.sentence, by }, { noWayBack: error.message });
    // Under one id, however often the FAIL comes: who has taken it takes it once.
    await service.bus.publish(deploymentTopic.name, [eventOf(bad, `found-bad-${id}`, now)]);
    const entry = { actor: by, action: "deployment.no_way_back", subject: id, at: now };
    await auditOnce(service.db)(`no-way-back-${id}`, {
      ...entry,
      detail: { service: name, environment, version, sentence: judgement.sentence, why: error.message },
    });
  }
}

/**
 * A version that no longer serves cannot be rolled back: what would be taken away is another one. Of a region that does not answer soon counts what was deployed
 * there last, so that the way back in the others does not wait for it.
 */
async function refuseUnlessLive(service: Service, state: In<"verified">): Promise<void> {
  const { version, regions, id } = state.plan;
  const found = await Promise.all(
    regions.map(async (region) => ({ region, live: await liveIn(service, state, region) })),
  );
  for (const { region, live } of found) {
    if (live === version) continue;
    throw new ProblemError(
      "deployment.phase",
      `${version} of ${id} does not serve in ${region}: ${live ?? "nothing"} does.`,
      {
        remedy: "Roll back the deployment that is live there.",
      },
    );
  }
}

async function liveIn(service: Service, { plan }: In<"verified">, region: RegionName): Promise<string | null> {
  const read = async () => (await (await service.regions.cluster(region)).readTraffic(plan)).liveVersion;
  const seen = await within(
    answersWithinMs,
    read().catch(() => undefined),
    () => undefined,
  );
  if (seen !== undefined) return seen;
  const deployed = await liveVersions(service, plan.service);
  return deployed[plan.environment]?.[region]?.version ?? null;
}

async function lastVerifiedBefore(service: Service, state: In<"verified">): Promise<Deployment | undefined> {
  const { service: name, environment, version, regions } = state.plan;
  const verified = await listDeployments(
    service.db,
    { service: name, environment, phases: ["verified"] },
    50,
    numberOf(state.plan.id),
  );
  const fits = verified.filter(
    ({ state: { plan } }) => plan.version !== version && regions.every((region) => plan.regions.includes(region)),
  );
  for (const one of fits) if (!(await foundBadSince(service.db, one.state.plan))) return one.state;
  return undefined;
}
