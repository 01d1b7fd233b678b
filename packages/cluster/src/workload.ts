import type { Epoch, VersionName } from "@slipway/kernel";
import { z } from "zod";
import { baselineAnnotation, epochAnnotation } from "./fence.ts";
import { sidecarLabel } from "./injection.ts";
import type { Target, WorkloadManifest } from "./port.ts";

/** The container that a version runs in. A mesh and others may put more into its pods, which are not the version. */
export const appContainer = "app";
/** The port that a container listens on; it is told so in `$PORT`. */
const containerPort = 8080;
/** What the base Service selects while no version is live: no pod carries it. */
const noVersion = "none";
export const versionLabel = "slipway.dev/version";
export const serviceLabel = "slipway.dev/service";
const managed = { "app.kubernetes.io/managed-by": "slipway" };

type KubeObject = {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string } & Record<string, unknown>;
  readonly spec?: object;
};
type Grant = { readonly epoch: Epoch; readonly deployment: string };

/** What a region's pods have beside what their version says. */
type PodTraits = {
  /** With which the region's nodes pull its image. */
  readonly pullSecret?: string | undefined;
  readonly isRestricted: boolean;
};

/** The objects of one version, all named after it, in the order in which they are written. */
export function workloadObjects(manifest: WorkloadManifest, grant: Grant, traits: PodTraits) {
  return {
    service: versionService(manifest, grant),
    destinationRule: destinationRule(manifest, grant),
    deployment: deployment(manifest, grant, traits),
  };
}

export function namespaceObject(name: string, istioRevision: string | undefined) {
  return {
    apiVersion: "v1",
    kind: "Namespace",
    metadata: { name, labels: { ...managed, ...sidecarLabel(istioRevision) } as Record<string, string> },
  } satisfies KubeObject;
}

export const NamespaceObject = z.looseObject({
  metadata: z.looseObject({ labels: z.record(z.string(), z.string()).optional() }),
});

/** The clients' name for a service. It selects one version's pods, or nobody's. `baseline`: as the VirtualService names it, where that is known. */
export function baseService(
  { service, environment }: Target,
  version: VersionName | null,
  epoch: Epoch,
  baseline?: string,
): KubeObject {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: {
      name: service,
      namespace: environment,
      labels: { ...managed, app: service, [serviceLabel]: service },
      annotations: { [epochAnnotation]: String(epoch), ...named(baseline) },
    },
    spec: { selector: baseSelector(service, version), ports: servicePorts() },
  };
}

/** The annotation of a base Service that says to which version a lowering may turn it back; the service itself stands for none. */
export function named(baseline: string | undefined): Record<string, string> {
  return baseline === undefined ? {} : { [baselineAnnotation]: baseline };
}

export function baseSelector(service: string, version: VersionName | null): Record<string, string> {
  return { [serviceLabel]: service, [versionLabel]: version ?? noVersion };
}

function versionService(manifest: WorkloadManifest, grant: Grant): KubeObject {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: metadata(manifest, grant),
    spec: { selector: { [serviceLabel]: manifest.service, [versionLabel]: manifest.name }, ports: servicePorts() },
  };
}

function destinationRule(manifest: WorkloadManifest, grant: Grant): KubeObject {
  return {
    apiVersion: "networking.istio.io/v1",
    kind: "DestinationRule",
    metadata: metadata(manifest, grant),
    spec: { host: manifest.name },
  };
}

function deployment(manifest: WorkloadManifest, grant: Grant, { pullSecret, isRestricted }: PodTraits): KubeObject {
  const labels = labelsOf(manifest);
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: metadata(manifest, grant),
    spec: {
      replicas: manifest.replicas,
      revisionHistoryLimit: 1,
      progressDeadlineSeconds: seconds(Math.max(manifest.ready.timeoutMs, 10_000)),
      selector: { matchLabels: { [serviceLabel]: manifest.service, [versionLabel]: manifest.name } },
      strategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
      template: {
        metadata: { labels, annotations: { ...manifest.annotations } },
        spec: {
          automountServiceAccountToken: false,
          terminationGracePeriodSeconds: seconds(manifest.graceMs),
          ...(pullSecret === undefined ? {} : { imagePullSecrets: [{ name: pullSecret }] }),
          ...(isRestricted ? { securityContext: restrictedSecurity } : {}),
          containers: [container(manifest)],
        },
      },
    },
  };
}

/**
 * What Pod Security's level `restricted` wants beside what every container of ours has. Only where a namespace enforces it, so that nothing breaks:
 * elsewhere images may run as root, and programs make system calls that the profile forbids.
 */
const restrictedSecurity = { runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } };

export function enforcesRestricted(labels: Readonly<Record<string, string>>): boolean {
  return labels["pod-security.kubernetes.io/enforce"] === "restricted";
}

function container(manifest: WorkloadManifest): object {
  const { cpu, memory } = manifest.resources;
  const env = { ...manifest.env, PORT: String(containerPort) };
  const secrets = Object.keys(manifest.secrets ?? {});
  return {
    name: appContainer,
    image: manifest.image,
    env: [
      ...Object.entries(env).map(([name, value]) => ({ name, value })),
      ...secrets.map((key) => ({ name: key, valueFrom: { secretKeyRef: { name: manifest.name, key } } })),
    ],
    ports: [{ name: "http", containerPort }],
    ...probes(manifest),
    resources: { requests: { cpu, memory }, limits: { memory } },
    securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
    // The last lines of its log stand in its status when it ends with an error.
    terminationMessagePolicy: "FallbackToLogsOnError",
  };
}

/** How much longer than a deployment waits for it a pod may take to start. */
const slowStartSeconds = 30;

/**
 * Asked often while a pod starts, because a deployment waits for the answer, and now and then later. Who waits gives up before the pod is
 * restarted for being slow.
 */
function probes({ ready }: WorkloadManifest) {
  const probe = { httpGet: { path: ready.path, port: "http" }, timeoutSeconds: 2 };
  return {
    startupProbe: { ...probe, periodSeconds: 1, failureThreshold: seconds(ready.timeoutMs) + slowStartSeconds },
    readinessProbe: { ...probe, periodSeconds: 5, failureThreshold: 2 },
  };
}

/** The values that one version's pods are given. It is never changed: another value is another version. */
export function secretObject(manifest: WorkloadManifest, grant: Grant, values: Readonly<Record<string, string>>) {
  const own = metadata(manifest, grant);
  const data = Object.keys(manifest.secrets ?? {}).map((name) => {
    const value = values[name];
    if (value === undefined) throw new Error(`${manifest.name} has no value for its secret ${name}`);
    return [name, Buffer.from(value).toString("base64")] as const;
  });
  return {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { ...own, annotations: { ...(own.annotations as object), [revisionsAnnotation]: revisionsOf(manifest) } },
    type: "Opaque",
    immutable: true,
    data: Object.fromEntries(data),
  };
}

/** Which values a Secret holds, without a word of them. */
export const revisionsAnnotation = "slipway.dev/secret-revisions";

export function revisionsOf({ secrets = {} }: WorkloadManifest): string {
  return Object.keys(secrets)
    .sort()
    .map((name) => `${name}=${secrets[name]}`)
    .join(",");
}

function metadata(manifest: WorkloadManifest, grant: Grant): KubeObject["metadata"] {
  return {
    name: manifest.name,
    namespace: manifest.environment,
    labels: labelsOf(manifest),
    annotations: {
      ...manifest.annotations,
      [epochAnnotation]: String(grant.epoch),
      "slipway.dev/deployment": grant.deployment,
    },
  };
}

function labelsOf({ name, service }: WorkloadManifest): Record<string, string> {
  return { ...managed, app: service, [serviceLabel]: service, [versionLabel]: name, version: name };
}

function servicePorts(): readonly object[] {
  return [{ name: "http", port: 80, targetPort: "http" }];
}

function seconds(ms: number): number {
  return Math.ceil(ms / 1_000);
}

/** Any object, as far as fencing needs it. */
export const Fenced = z.looseObject({
  metadata: z.looseObject({
    name: z.string(),
    uid: z.string(),
    resourceVersion: z.string(),
    labels: z.record(z.string(), z.string()).optional(),
    annotations: z.record(z.string(), z.string()).optional(),
  }),
});
export type Fenced = z.infer<typeof Fenced>;

export const ServiceObject = Fenced.extend({
  spec: z.looseObject({ selector: z.record(z.string(), z.string()).optional() }),
});
export const DeploymentObject = Fenced.extend({
  spec: z.looseObject({ replicas: z.number().optional() }),
  status: z
    .looseObject({
      conditions: z
        .array(
          z.looseObject({
            type: z.string(),
            status: z.string(),
            reason: z.string().optional(),
            message: z.string().optional(),
          }),
        )
        .optional(),
    })
    .optional(),
});
export type DeploymentObject = z.infer<typeof DeploymentObject>;

/** A pod that the API refused is nowhere to be seen: its controller alone was told, and wrote it here. */
export function refusalOf({ status }: DeploymentObject): string | undefined {
  const found = status?.conditions?.find(({ type, status: holds }) => type === "ReplicaFailure" && holds === "True");
  if (found === undefined) return undefined;
  return `${found.reason ?? found.type}: ${found.message ?? ""}`.replaceAll(/\s+/g, " ").trim();
}

/** 0 for an object that carries no epoch: anybody with a grant may take it over. */
export function epochOf(object: Fenced): number {
  const epoch = Number(object.metadata.annotations?.[epochAnnotation] ?? 0);
  return Number.isSafeInteger(epoch) ? epoch : 0;
}

/** The version that the base Service selects; null when it selects nobody or something that is not ours. */
export function liveVersionOf(service: z.infer<typeof ServiceObject> | null): VersionName | null {
  const version = service?.spec.selector?.[versionLabel];
  return version === undefined || version === noVersion ? null : (version as VersionName);
}

/** Whom a base Service selects that is not as Slipway makes it; undefined: it is, or there is none. */
export function foreignOf(service: z.infer<typeof ServiceObject> | null): string | undefined {
  const selector = service?.spec.selector ?? {};
  if (service === null || versionLabel in selector) return undefined;
  const labels = Object.entries(selector).map(([label, value]) => `${label}=${value}`);
  return labels.join(",") || "nobody by labels";
}
