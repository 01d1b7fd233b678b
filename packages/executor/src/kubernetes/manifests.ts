import { createHash } from "node:crypto";
import type { StepNetwork } from "../network/run-step-with-network.ts";
import type { Limits } from "../types.ts";
import { keyVariable, podFolders, stepPort } from "./channel.ts";
import type { KubernetesPlace } from "./place.ts";
import { accountOf, containerSecurity, podSecurity } from "./pod-security.ts";

export const labels = {
  managed: "app.kubernetes.io/managed-by",
  part: "app.kubernetes.io/component",
  build: "slipway.dev/build",
  step: "slipway.dev/step-run",
  network: "slipway.dev/network",
} as const;

/** All pods of steps. */
export const stepSelector = `${labels.managed}=slipway,${labels.part}=build-step`;
export const container = "step";
const prepare = "runner";

/** The runner's own needs, beside the step's: of memory, and of disk. */
const runnerMiB = 192;
const mebibyte = 1_048_576;
/** Between the step's own time limit and the one of its Job: to be scheduled, to send files in and out. */
const slackSeconds = 1_800;
const keepSeconds = 600;

/** What moves pods to have fewer nodes would end the step. */
const stays = {
  "cluster-autoscaler.kubernetes.io/safe-to-evict": "false",
  "karpenter.sh/do-not-disrupt": "true",
};

export type StepJob = {
  readonly identity: string;
  readonly run: string;
  /** Undefined: the place's own. */
  readonly image: string | undefined;
  /** Builds a Dockerfile, by an image that is BuildKit's. */
  readonly builds: boolean;
  readonly network: StepNetwork;
  readonly timeoutMs: number;
  readonly limits: Limits;
};

const short = (text: string): string => createHash("sha256").update(text).digest("hex").slice(0, 20);

/** Label value of a build. */
export function buildLabel(identity: string): string {
  return short(identity);
}

/** Label value of a run: its pod is found by it. */
export function runLabel(run: string): string {
  return short(run);
}

/** The same for whoever asks for the same run: so that it is there once. */
export function jobName(run: string): string {
  return `step-${short(run)}`;
}

function labelsOf({ identity, run, network }: StepJob): Record<string, string> {
  return {
    ...{ [labels.managed]: "slipway", [labels.part]: "build-step" },
    ...{ [labels.build]: buildLabel(identity), [labels.step]: runLabel(run), [labels.network]: network },
  };
}

/** The step's Job, suspended until its Secret is there. Passes Pod Security `restricted`, unless it builds a Dockerfile. */
export function jobManifest(place: KubernetesPlace, job: StepJob): object {
  const name = jobName(job.run);
  return {
    ...{ apiVersion: "batch/v1", kind: "Job" },
    metadata: { name, namespace: place.namespace, labels: labelsOf(job) },
    spec: {
      ...{ suspend: true, backoffLimit: 0, completions: 1, parallelism: 1 },
      activeDeadlineSeconds: Math.ceil(job.timeoutMs / 1_000) + slackSeconds,
      ttlSecondsAfterFinished: keepSeconds,
      template: { metadata: { labels: labelsOf(job), annotations: stays }, spec: podSpec(place, job, name) },
    },
  };
}

function podSpec(place: KubernetesPlace, job: StepJob, name: string): object {
  const { diskMiB, tmpMiB, builder } = sizesOf(job);
  const disk = `${diskMiB}Mi`;
  const shared = { resources: resourcesOf(job) };
  const key = { secretKeyRef: { name, key: "key" } };
  return {
    ...{ restartPolicy: "Never", terminationGracePeriodSeconds: 2 },
    ...{ automountServiceAccountToken: false, enableServiceLinks: false },
    securityContext: podSecurity(accountOf(job)),
    ...(place.nodeSelector === undefined ? {} : { nodeSelector: place.nodeSelector }),
    ...(place.tolerations === undefined ? {} : { tolerations: place.tolerations }),
    // BuildKit works with the user namespaces and mounts of a kernel of its node.
    ...(place.runtimeClass === undefined || job.builds ? {} : { runtimeClassName: place.runtimeClass }),
    ...(place.pullSecret === undefined ? {} : { imagePullSecrets: [{ name: place.pullSecret }] }),
    ...(job.image === undefined ? {} : { initContainers: [bringRunner(place, shared)] }),
    containers: [
      {
        ...{ name: container, image: job.image ?? place.image, workingDir: podFolders.workspace, ...shared },
        securityContext: containerSecurity(job.builds),
        command: job.image === undefined ? ["slipway-step-runner"] : [`${podFolders.base}/bin/slipway-step-runner`],
        ports: [{ name: "runner", containerPort: stepPort }],
        env: [{ name: keyVariable, valueFrom: key }],
        terminationMessagePolicy: "FallbackToLogsOnError",
        volumeMounts: [
          { name: "workspace", mountPath: podFolders.workspace },
          { name: "slipway", mountPath: podFolders.base },
          { name: "tmp", mountPath: "/tmp" },
          ...builder.map(({ name, mountPath }) => ({ name, mountPath })),
        ],
      },
    ],
    volumes: [
      { name: "workspace", emptyDir: { sizeLimit: disk } },
      { name: "slipway", emptyDir: { sizeLimit: disk } },
      { name: "tmp", emptyDir: { sizeLimit: `${tmpMiB}Mi` } },
      ...builder.map(({ name, mebibytes }) => ({ name, emptyDir: { sizeLimit: `${mebibytes}Mi` } })),
    ],
  };
}

function sizesOf({ limits, builds }: StepJob) {
  const diskMiB = Math.ceil(limits.diskBytes / mebibyte);
  const tmpMiB = Math.ceil(limits.tmpBytes / mebibyte);
  return { diskMiB, tmpMiB, builder: builds ? builderVolumes(diskMiB) : [] };
}

/**
 * Of disk a node has to have what the step may fill by its own limit, so that the pod is not the first to go where a node runs full. What its volumes
 * may hold together is more than that, and would leave small nodes without any step.
 */
function resourcesOf(job: StepJob): object {
  const { diskMiB, tmpMiB, builder } = sizesOf(job);
  const amounts = {
    cpu: `${Math.round(job.limits.cpus * 1_000)}m`,
    memory: `${Math.ceil(job.limits.memoryBytes / mebibyte) + runnerMiB}Mi`,
  };
  const filled = diskMiB * (job.builds ? 2 : 1) + tmpMiB + runnerMiB;
  const volumes = builder.reduce((sum, { mebibytes }) => sum + mebibytes, 2 * diskMiB + tmpMiB);
  return {
    requests: { ...amounts, "ephemeral-storage": `${filled}Mi` },
    limits: { ...amounts, "ephemeral-storage": `${Math.max(volumes, filled)}Mi` },
  };
}

/** What is kept is there as it was and as it will be, and a pod whose volume is too large is ended: the cache has room for both, beside the build's own. */
function builderVolumes(diskMiB: number) {
  return [
    { name: "buildkit", mountPath: podFolders.buildkit, mebibytes: diskMiB },
    { name: "cache", mountPath: podFolders.cache, mebibytes: 2 * diskMiB },
  ];
}

/** Lays the runner with its Node, loader and libraries beside an image that may have none of them. */
function bringRunner({ image }: KubernetesPlace, shared: object): object {
  return {
    ...{ name: prepare, image, ...shared, securityContext: containerSecurity(false) },
    command: ["slipway-step-runner", "--copy-to", podFolders.base],
    volumeMounts: [{ name: "slipway", mountPath: podFolders.base }],
  };
}

/** Holds the key of the runner, and goes with its Job. */
export function secretManifest(place: KubernetesPlace, job: StepJob, jobUid: string, key: Uint8Array): object {
  const name = jobName(job.run);
  return {
    ...{ apiVersion: "v1", kind: "Secret", type: "Opaque", immutable: true },
    metadata: {
      ...{ name, namespace: place.namespace, labels: labelsOf(job) },
      ownerReferences: [{ apiVersion: "batch/v1", kind: "Job", name, uid: jobUid }],
    },
    data: { key: Buffer.from(Buffer.from(key).toString("base64")).toString("base64") },
  };
}
