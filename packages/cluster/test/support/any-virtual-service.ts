import type { DeploymentId, Epoch, VersionName } from "@slipway/kernel";
import fc from "fast-check";
import { fenceAnnotation, formatFence, pausedAnnotation, weightsAnnotation } from "../../src/fence.ts";
import type { LowerRequest, RaiseRequest } from "../../src/port.ts";
import { VirtualService } from "../../src/virtual-service.ts";

/** Arbitrary VirtualServices: ours, adopted, edited by hand, with routes and fields of other people. */
export const service = "orders";
export const versions = ["orders-aaaaaaa-22222", "orders-bbbbbbb-33333", "orders-ccccccc-44444"] as VersionName[];
const hosts = [service, ...versions, "payments"].flatMap((name) => [name, `${name}.prod.svc.cluster.local`]);

const anyDestination = fc.record(
  { host: fc.constantFrom(...hosts), subset: fc.constantFrom("v1", "v2"), port: fc.constant({ number: 8080 }) },
  { requiredKeys: ["host"] },
);
const anyWeighted = fc.record(
  { destination: anyDestination, weight: fc.integer({ min: 0, max: 100 }), headers: fc.constant({ request: {} }) },
  { requiredKeys: ["destination"] },
);
const anyShare = fc.record({ value: fc.integer({ min: 0, max: 100 }) });
const anyRoute = fc.record(
  {
    name: fc.constantFrom("slipway", "slipway-header", "slipway-cookie", "canary", "legacy"),
    match: fc.constant([{ headers: { "x-try": { exact: "1" } } }]),
    route: fc.array(anyWeighted, { maxLength: 4 }),
    mirror: anyDestination,
    mirrorPercentage: anyShare,
    mirrors: fc.array(
      fc.record({ destination: anyDestination, percentage: anyShare }, { requiredKeys: ["destination"] }),
      {
        maxLength: 2,
      },
    ),
    timeout: fc.constant("3s"),
  },
  { requiredKeys: [] },
);
export const anyFence = fc.record({
  epoch: fc.integer({ min: 1, max: 4 }),
  seq: fc.integer({ min: 1, max: 1_000 }),
  gate: fc.constantFrom("open" as const, "shut" as const),
  holder: fc.constantFrom("D-1", "D-2"),
});
const anyAnnotations = fc
  .record(
    {
      [fenceAnnotation]: fc.oneof({ weight: 8, arbitrary: anyFence.map(formatFence) }, fc.constant("garbage")),
      [weightsAnnotation]: fc
        .array(fc.tuple(fc.constantFrom(service, ...versions), fc.integer({ min: 0, max: 100 })), { maxLength: 3 })
        .map((pairs) => pairs.map(([name, weight]) => `${name}=${weight}`).join(",")),
      [pausedAnnotation]: fc.constant("maintenance"),
      "example.com/owner": fc.constant("team-a"),
    },
    { requiredKeys: [] },
  )
  .map((annotations) => annotations as Record<string, string>);

const anyMetadata = fc.record(
  {
    name: fc.constant(service),
    namespace: fc.constant("prod"),
    uid: fc.constant("u-1"),
    resourceVersion: fc.integer({ min: 1, max: 99 }).map(String),
    annotations: anyAnnotations,
  },
  { requiredKeys: ["name", "namespace", "uid", "resourceVersion"] },
);

/** What the API answers, not yet parsed. */
export const anyRawVirtualService = fc.record({
  apiVersion: fc.constant("networking.istio.io/v1"),
  kind: fc.constant("VirtualService"),
  metadata: anyMetadata,
  spec: fc.record(
    { hosts: fc.constant([service]), http: fc.array(anyRoute, { maxLength: 4 }), tls: fc.constant([{ x: 1 }]) },
    { requiredKeys: ["hosts"] },
  ),
});
export type RawVirtualService = typeof anyRawVirtualService extends fc.Arbitrary<infer T> ? T : never;

const anyPair = fc.constantFrom<[VersionName | null, VersionName]>(
  [versions[0] as VersionName, versions[1] as VersionName],
  [versions[1] as VersionName, versions[0] as VersionName],
  [null, versions[1] as VersionName],
);

export const anyLower: fc.Arbitrary<LowerRequest> = fc
  .tuple(fc.integer({ min: 1, max: 5 }), fc.constantFrom("D-1", "D-2"), anyPair)
  .map(([epoch, deployment, [baseline, canary]]) => ({
    epoch: epoch as Epoch,
    deployment: deployment as DeploymentId,
    baseline,
    canary,
  }));

export const anyRaise: fc.Arbitrary<RaiseRequest> = fc
  .tuple(anyLower, fc.integer({ min: 0, max: 1_000 }), fc.boolean(), fc.boolean())
  .map(([lower, tenths, production, proven]) => ({
    ...lower,
    percent: tenths / 10,
    exposure: { production, proven },
  }));

export function parsed(raw: unknown): VirtualService {
  return VirtualService.parse(raw);
}
