import type { Target, TrafficView } from "@slipway/cluster";
import { type DeploymentRequest, nearest, ProblemError } from "@slipway/contracts";
import { type AuditEntry, appendAudit } from "@slipway/durable";
import type { EnvironmentEntry, Principal } from "@slipway/host";
import type { DeploymentId, Instant, RegionName, VersionName } from "@slipway/kernel";
import type { Command } from "./domain/command.ts";
import { type In, type Plan, setRegion } from "./domain/deployment.ts";
import { isThere } from "./domain/image-wait.ts";
import type { Input } from "./domain/input.ts";
import { renderWorkload } from "./domain/manifest.ts";
import { firstCommands } from "./domain/phases/opening.ts";
import { canaryPlan, wholePlan } from "./domain/plan.ts";
import { refuseWhileObserving } from "./observing.ts";
import { presentSecrets, resolveArtifact } from "./resolve.ts";
import type { Service } from "./service.ts";
import { byRequestKey, insertDeployment, isBanned, listDeployments, nextDeploymentId, numberOf } from "./store.ts";

export type Asked = { readonly request: DeploymentRequest; readonly principal: Principal; readonly now: Instant };

/** A deployment that may be accepted. `awaitImage`: its image is not yet where its pods pull it from. */
export type Draft = Omit<Plan, "id"> & { readonly awaitImage?: boolean };

type Baselines = Readonly<Record<string, VersionName | null>>;

/**
 * Turns a request into a plan that is fixed from here on: version resolved to a digest, manifests rendered, steps and baselines written
 * down. Changes nothing. Throws ProblemError for what cannot be deployed.
 */
export async function planDeployment(service: Service, { request, principal, now }: Asked): Promise<Draft> {
  const environment = environmentOf(service, request.environment ?? "prod");
  if (request.strategy !== "canary") {
    throw new ProblemError("strategy.unsupported", `Deployments by ${request.strategy} are not available yet.`, {
      remedy: 'Use "strategy": "canary".',
    });
  }
  const regions = regionsOf(service, request.regions);
  await refuseWhileObserving(service.behind, { service: request.service, environment: environment.name }, regions);
  const artifact = await resolveArtifact(service, request, environment, service.environments);
  const secrets = await presentSecrets(service.secrets, artifact, environment);
  const { version, workload } = renderWorkload(artifact, environment.name, secrets);
  await refuseBanned(service, environment, version, principal);
  const baselines = await readBaselines(service, request, environment, regions);
  const initial = isInitial(baselines, regions);
  if (initial) confirmInitial(request, principal, environment);
  if (regions.every((region) => baselines[region] === version)) {
    throw new ProblemError("deployment.no_change", `${version} already serves in ${regions.join(", ")}.`);
  }
  const steps = initial ? wholePlan(environment.minimumBakeMs) : canaryPlan(artifact.spec, request, environment);
  if ("kind" in steps) throw new ProblemError("plan.invalid", steps.detail, { remedy: steps.remedy });
  return {
    service: request.service,
    environment: environment.name,
    production: environment.production,
    version,
    digest: artifact.digest,
    gitSha: artifact.git_sha,
    strategy: "canary",
    initial,
    steps,
    regions,
    baselines,
    workload,
    verifyAfterMs: artifact.spec.deploy.verify_after,
    watchMs: artifact.spec.deploy.watch,
    settleMs: service.settleMs,
    requestedBy: principal.name,
    createdAt: now,
    rollsBack: null,
    awaitImage: artifact.publication != null && !isThere(artifact.publication, now),
  };
}

/** What else is stored with a deployment: an entry of the audit log, and a command beside its first ones. */
export type Brought = { readonly audit: AuditEntry; readonly command: Command };

/** Stores the deployment, its first commands, the audit entry, what else it brings and the caller's key in one transaction. */
export async function acceptDeployment(
  service: Service,
  { awaitImage, ...draft }: Draft,
  requestKey: string | undefined,
  brings?: (id: DeploymentId) => Brought,
): Promise<In<"accepted">> {
  const known = requestKey === undefined ? undefined : await byRequestKey(service.db, requestKey);
  if (known !== undefined) return storedAs(service, known);
  const accepted = await service.db.transaction().execute(async (tx) => {
    const { id, number } = await nextDeploymentId(tx);
    const state = newDeployment({ ...draft, id });
    await insertDeployment(tx, number, state.plan, requestKey);
    const brought = brings?.(id);
    const commands = [...firstCommands(state, awaitImage), ...(brought === undefined ? [] : [brought.command])];
    await service.durable.create(tx, service.machine, id, state, commands);
    const { service: name, version, digest, environment, regions } = draft;
    await appendAudit(tx, {
      actor: draft.requestedBy,
      action: "deployment.requested",
      subject: id,
      detail: { service: name, version, digest, environment, regions },
      at: draft.createdAt,
    });
    if (brought !== undefined) await appendAudit(tx, brought.audit);
    return state;
  });
  // Somebody may have asked for it before it was there.
  await service.views.forget(accepted.plan.id);
  await supersedeOlder(service, accepted);
  return accepted;
}

async function storedAs(service: Service, id: DeploymentId): Promise<In<"accepted">> {
  const row = await service.durable.read(service.machine, id);
  if (row === undefined) throw new Error(`${id} has a key and no row`);
  return row.state as In<"accepted">;
}

export function newDeployment(plan: Plan): In<"accepted"> {
  const regions = plan.regions.reduce((all, region) => setRegion(all, region, {}), {});
  const approval = plan.initial
    ? { by: plan.requestedBy, reason: "confirmed as the first deployment", at: plan.createdAt }
    : null;
  return { phase: "accepted", plan, gates: [], approval, regions };
}

/** A newer deployment that covers all regions of an older one that still waits takes its place. */
async function supersedeOlder(service: Service, newer: In<"accepted">): Promise<void> {
  const { id, environment, service: name, regions } = newer.plan;
  const waiting = await listDeployments(service.db, { service: name, environment, phases: ["accepted", "queued"] }, 50);
  for (const { state } of waiting) {
    if (numberOf(state.plan.id) >= numberOf(id) || !state.plan.regions.every((region) => regions.includes(region)))
      continue;
    await service.durable.send(service.machine, state.plan.id, (now): Input => ({ type: "Superseded", by: id, now }));
  }
}

export function environmentOf(service: Service, name: string): EnvironmentEntry {
  const environment = service.environments.find((entry) => entry.name === name);
  if (environment !== undefined) return environment;
  const names = service.environments.map((entry) => entry.name);
  throw new ProblemError("environment.not_found", `There is no environment ${name}${nearest(name, names) || "."}`, {
    remedy: `One of: ${names.join(", ")}.`,
  });
}

function regionsOf(service: Service, asked: readonly RegionName[] | undefined): readonly RegionName[] {
  const { names } = service.regions;
  const unknown = asked?.filter((region) => !names.includes(region)) ?? [];
  if (unknown.length > 0) {
    throw new ProblemError(
      "region.not_found",
      `There is no region ${unknown.join(", ")}${nearest(unknown[0] ?? "", names) || "."}`,
      {
        remedy: names.length === 0 ? "This platform has no regions." : `One of: ${names.join(", ")}.`,
      },
    );
  }
  return asked ?? names;
}

async function refuseBanned(
  service: Service,
  environment: EnvironmentEntry,
  version: VersionName,
  principal: Principal,
): Promise<void> {
  if (principal.roles.includes("approver") || !(await isBanned(service.db, environment.name, version))) return;
  throw new ProblemError("version.banned", `${version} was rolled back in ${environment.name}.`, {
    remedy: "Deploy another version; an approver may deploy this one again.",
  });
}

/** What serves in each region now. A region that cannot be read is an error, never "no baseline". */
async function readBaselines(
  service: Service,
  request: DeploymentRequest,
  environment: EnvironmentEntry,
  regions: readonly RegionName[],
): Promise<Baselines> {
  const target = { service: request.service, environment: environment.name };
  const read = async (region: RegionName): Promise<[RegionName, TrafficView]> => {
    try {
      const cluster = await service.regions.cluster(region);
      return [region, await cluster.readTraffic(target)];
    } catch (cause) {
      throw new ProblemError("region.unavailable", `${region} does not say what serves ${request.service} there.`, {
        remedy: "Leave the region out, or try again when it answers.",
        cause,
      });
    }
  };
  const found = await Promise.all(regions.map(read));
  for (const [region, { foreign }] of found) if (foreign !== undefined) throw foreignService(target, region, foreign);
  return Object.fromEntries(found.map(([region, { liveVersion }]) => [region, liveVersion]));
}

/** Its pods would lose all requests with this name's first deployment, untried, and nothing would lead back to them. */
function foreignService({ service, environment }: Target, region: RegionName, selected: string): ProblemError {
  return new ProblemError(
    "service.foreign",
    `${region} has a Service ${service} in ${environment} that is not Slipway's: it selects ${selected}, whose requests a deployment would take away for good.`,
    {
      remedy: `Give the service another name in slipway.yaml; or, once nothing calls those pods any more, \`kubectl delete service ${service} -n ${environment}\` there, and Slipway makes its own.`,
    },
  );
}

function isInitial(baselines: Baselines, regions: readonly RegionName[]): boolean {
  const without = regions.filter((region) => baselines[region] === null);
  if (without.length === 0) return false;
  if (without.length === regions.length) return true;
  throw new ProblemError(
    "plan.invalid",
    `Nothing serves yet in ${without.join(", ")}: a new region first gets the version that is live elsewhere.`,
    {
      remedy: `Deploy the live version to ${without.join(", ")} alone, then this one everywhere.`,
    },
  );
}

function confirmInitial(request: DeploymentRequest, principal: Principal, environment: EnvironmentEntry): void {
  if (!environment.production) return;
  const mayConfirm = principal.roles.includes("approver") || principal.roles.includes("admin");
  if (request.confirm_initial === true && mayConfirm) return;
  throw new ProblemError(
    "deployment.confirmation_required",
    `Nothing of ${request.service} serves in ${environment.name}: this is its first deployment, with nothing to compare with or return to.`,
    {
      remedy:
        'Send "confirm_initial": true with an approver\'s token (slipway deploy … --confirm-initial --as approver).',
    },
  );
}
