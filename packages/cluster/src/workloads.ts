import type { Epoch, VersionName } from "@slipway/kernel";
import { z } from "zod";
import { RegionRejected } from "./errors.ts";
import { pointer } from "./json-patch.ts";
import {
  create,
  type Effects,
  ensureNamespace,
  ensureObject,
  readAs,
  readVirtualService,
  untilWritten,
  updateObject,
} from "./objects.ts";
import * as paths from "./paths.ts";
import { hasBegun, isReady, type Pod, PodList, reasonOf } from "./pod.ts";
import type { FencedWrite, SecretValues, Target, WorkloadManifest, WorkloadStatus, WorkloadSummary } from "./port.ts";
import { fenceOf, pausedOf, type VirtualService, weightsOf } from "./virtual-service.ts";
import {
  appContainer,
  DeploymentObject,
  enforcesRestricted,
  epochOf,
  Fenced,
  refusalOf,
  revisionsAnnotation,
  revisionsOf,
  secretObject,
  serviceLabel,
  versionLabel,
  workloadObjects,
} from "./workload.ts";

/** What the service's gate says to any write of this epoch: null = go on. */
export function guard(vs: VirtualService | null, epoch: number): FencedWrite | null {
  if (vs === null) return null;
  const fence = fenceOf(vs);
  if (fence !== null && fence.epoch > epoch) return { kind: "stale", epoch: fence.epoch };
  const paused = pausedOf(vs);
  return paused === null ? null : { kind: "refused", why: "paused", detail: paused };
}

export async function ensureWorkload(
  effects: Effects,
  target: Target,
  manifest: WorkloadManifest,
  grant: { readonly epoch: Epoch; readonly deployment: string },
  secretValues?: SecretValues,
): Promise<FencedWrite> {
  const no = guard(await readVirtualService(effects, target), grant.epoch);
  if (no !== null) return no;
  const isRestricted = enforcesRestricted(await ensureNamespace(effects, target.environment));
  const objects = workloadObjects(manifest, grant, { pullSecret: effects.pullSecret, isRestricted });
  const rest = [
    await ensureSecret(effects, target, manifest, grant, secretValues),
    await ensureObject(effects, paths.services(target), objects.service, grant.epoch),
    await ensureObject(effects, paths.destinationRules(target), objects.destinationRule, grant.epoch),
  ];
  const stale = rest.find(({ kind }) => kind === "stale");
  if (stale !== undefined) return stale;
  return ensureObject(effects, paths.deployments(target), objects.deployment, grant.epoch, (found) => {
    const present = DeploymentObject.parse(found);
    checkSameImage(effects, present, manifest);
    if (present.spec.replicas === manifest.replicas) return [];
    return [{ op: "add", path: pointer("spec", "replicas"), value: manifest.replicas }];
  });
}

/** Before the Deployment, so that no pod waits for it. What stands is never written over, and its values are not asked for. */
async function ensureSecret(
  effects: Effects,
  target: Target,
  manifest: WorkloadManifest,
  grant: { readonly epoch: Epoch; readonly deployment: string },
  secretValues: SecretValues = async () => ({}),
): Promise<FencedWrite> {
  if (Object.keys(manifest.secrets ?? {}).length === 0) return { kind: "done" };
  const { connection } = effects;
  const path = `${paths.secrets(target)}/${manifest.name}`;
  return untilWritten<FencedWrite>(effects, path, async () => {
    const found = await readAs(connection, path, Fenced);
    if (found === null) {
      const object = secretObject(manifest, grant, await secretValues());
      return (await create(connection, paths.secrets(target), object)) === "created" ? { kind: "done" } : null;
    }
    if (found.metadata.annotations?.[revisionsAnnotation] !== revisionsOf(manifest)) {
      throw new RegionRejected(connection.region, `a Secret ${manifest.name} with other revisions exists`);
    }
    return updateObject(connection, path, found, grant.epoch, []);
  });
}

const Images = z.looseObject({
  template: z.looseObject({
    spec: z.looseObject({ containers: z.array(z.looseObject({ name: z.string(), image: z.string() })) }),
  }),
});

/** A name never changes its meaning: the same version with another digest is a mistake that nobody may paper over. */
function checkSameImage({ connection }: Effects, found: DeploymentObject, manifest: WorkloadManifest): void {
  const containers = Images.safeParse(found.spec).data?.template.spec.containers ?? [];
  const image = containers.find(({ name }) => name === appContainer)?.image ?? "";
  if (image.split("@")[1] === manifest.image.split("@")[1]) return;
  throw new RegionRejected(connection.region, `${manifest.name} exists with another image: ${image}`);
}

export async function readWorkload(
  { connection }: Effects,
  target: Target,
  version: VersionName,
): Promise<WorkloadStatus | null> {
  const [deployment, pods, reached] = await Promise.all([
    readAs(connection, `${paths.deployments(target)}/${version}`, DeploymentObject),
    listPods(connection, target, `${versionLabel}=${version}`),
    reachable(connection, target, version),
  ]);
  if (deployment === null) return null;
  const status = statusOf(deployment, pods);
  if (reached >= status.ready) return status;
  const missing = status.ready - reached;
  const reason = `${missing} of its ready pods ${missing === 1 ? "is" : "are"} not behind the Service ${version} yet`;
  return { ...status, ready: reached, reasons: [...status.reasons, reason] };
}

const EndpointSlices = z.looseObject({
  items: z.array(
    z.looseObject({
      endpoints: z
        .array(z.looseObject({ conditions: z.looseObject({ ready: z.boolean().nullish() }).nullish() }))
        .nullish(),
    }),
  ),
});

/**
 * Ready pods behind the version's Service. A mesh sends requests to these and to no others, and they follow the pods' own word a moment later: weight
 * that is given in between meets nobody.
 */
async function reachable(connection: Effects["connection"], target: Target, version: VersionName): Promise<number> {
  const labelSelector = `kubernetes.io/service-name=${version}`;
  const slices = await readAs(connection, paths.endpointSlices(target), EndpointSlices, { query: { labelSelector } });
  const endpoints = (slices?.items ?? []).flatMap((slice) => slice.endpoints ?? []);
  // By the API's word an unknown condition counts as ready.
  return endpoints.filter(({ conditions }) => conditions?.ready !== false).length;
}

const DeploymentList = z.looseObject({ items: z.array(DeploymentObject) });

export async function listWorkloads({ connection }: Effects, target: Target): Promise<readonly WorkloadSummary[]> {
  const labelSelector = `${serviceLabel}=${target.service}`;
  const [list, pods] = await Promise.all([
    readAs(connection, paths.deployments(target), DeploymentList, { query: { labelSelector } }),
    listPods(connection, target, labelSelector),
  ]);
  return (list?.items ?? []).map((deployment) => {
    const version = (deployment.metadata.labels?.[versionLabel] ?? deployment.metadata.name) as VersionName;
    const own = pods.filter((pod) => pod.metadata.labels?.[versionLabel] === version);
    return { version, epoch: epochOf(deployment), ...statusOf(deployment, own) };
  });
}

export async function listPods(connection: Effects["connection"], target: Target, labelSelector: string) {
  const list = await readAs(connection, paths.pods(target), PodList, { query: { labelSelector } });
  return list?.items ?? [];
}

function statusOf(deployment: DeploymentObject, pods: readonly Pod[]): WorkloadStatus {
  const alive = pods.filter((pod) => pod.metadata.deletionTimestamp === undefined);
  const desired = deployment.spec.replicas ?? 1;
  // The condition outlives its cause for a moment.
  const refused = alive.length < desired ? refusalOf(deployment) : undefined;
  return {
    desired,
    ready: alive.filter(isReady).length,
    begun: alive.filter(hasBegun).length,
    reasons: [...(refused === undefined ? [] : [refused]), ...alive.filter((pod) => !isReady(pod)).map(reasonOf)],
    ...(refused === undefined ? {} : { refused }),
  };
}

export async function scaleWorkload(
  effects: Effects,
  target: Target,
  version: VersionName,
  replicas: number,
  { epoch }: { readonly epoch: Epoch },
): Promise<FencedWrite> {
  const { connection } = effects;
  const vs = await readVirtualService(effects, target);
  const no = guard(vs, epoch);
  if (no !== null) return no;
  if (replicas === 0 && vs !== null && (weightsOf(vs)[version] ?? 0) > 0) {
    return { kind: "refused", why: "in_use", detail: `${version} still has requests` };
  }
  const path = `${paths.deployments(target)}/${version}`;
  return untilWritten<FencedWrite>(effects, path, async () => {
    const found = await readAs(connection, path, DeploymentObject);
    if (found === null) return { kind: "refused", why: "absent", detail: `there is no workload ${version}` };
    const change = { op: "add", path: pointer("spec", "replicas"), value: replicas } as const;
    return updateObject(connection, path, found, epoch, found.spec.replicas === replicas ? [] : [change]);
  });
}
