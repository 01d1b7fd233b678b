import { expect, test } from "vitest";
import { defaultLimits } from "../limits.ts";
import { jobManifest, jobName, type StepJob, secretManifest } from "./manifests.ts";
import { readKubernetesUrl } from "./place.ts";

const place = readKubernetesUrl("kubernetes:?image=host/runner:1&pull_secret=pull");
const job: StepJob = {
  ...{
    identity: "B-7",
    run: "B-7 a-checkout compile",
    image: undefined,
    network: "none",
    timeoutMs: 90_000,
    builds: false,
  },
  limits: { ...defaultLimits, cpus: 0.5, memoryBytes: 256 * 1_048_576, diskBytes: 1_024 * 1_048_576 },
};
const at = (object: unknown, ...path: (string | number)[]): unknown =>
  path.reduce<unknown>((value, key) => (value as Record<string | number, unknown>)[key], object);
const pod = (changed: Partial<StepJob> = {}) =>
  at(jobManifest(place, { ...job, ...changed }), "spec", "template", "spec");

test("a Job ends by itself, is never repeated by the cluster, and begins suspended", () => {
  expect(at(jobManifest(place, job), "spec")).toMatchObject({
    ...{ suspend: true, backoffLimit: 0, completions: 1, parallelism: 1 },
    ...{ activeDeadlineSeconds: 1_890, ttlSecondsAfterFinished: 600 },
  });
});

test("the pod gives its step nothing of the cluster, and no right", () => {
  expect(pod()).toMatchObject({
    ...{ restartPolicy: "Never", automountServiceAccountToken: false, enableServiceLinks: false },
    securityContext: { runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } },
    imagePullSecrets: [{ name: "pull" }],
  });
  expect(at(pod(), "containers", 0, "securityContext")).toMatchObject({
    ...{ allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ["ALL"] } },
  });
});

test("its requests are its limits: the step's own and a little for the runner; of disk it asks for what a step may fill, and may have what its volumes do", () => {
  const amounts = { cpu: "500m", memory: "448Mi" };

  expect(at(pod(), "containers", 0, "resources")).toEqual({
    requests: { ...amounts, "ephemeral-storage": "1728Mi" },
    limits: { ...amounts, "ephemeral-storage": "2560Mi" },
  });
  expect(at(pod(), "volumes")).toEqual([
    { name: "workspace", emptyDir: { sizeLimit: "1024Mi" } },
    { name: "slipway", emptyDir: { sizeLimit: "1024Mi" } },
    { name: "tmp", emptyDir: { sizeLimit: "512Mi" } },
  ]);
});

test("each run has a name and a uid of its own, and each build a label", () => {
  const other = { run: "B-7 another-checkout compile" };

  expect(jobName(other.run)).not.toBe(jobName(job.run));
  expect(at(pod(other), "securityContext", "runAsUser")).not.toBe(at(pod(), "securityContext", "runAsUser"));
  const label = (changed: Partial<StepJob>) =>
    at(jobManifest(place, { ...job, ...changed }), "spec", "template", "metadata", "labels", "slipway.dev/build");
  expect(label(other)).toBe(label({}));
  expect(label({ identity: "B-8" })).not.toBe(label({}));
});

test("an image of the step's own is brought the runner, held back as the step is", () => {
  const image = `docker.io/library/node@sha256:${"0".repeat(64)}`;

  expect(at(pod({ image }), "initContainers", 0)).toMatchObject({
    image: "host/runner:1",
    command: ["slipway-step-runner", "--copy-to", "/slipway"],
    securityContext: { allowPrivilegeEscalation: false },
    resources: at(pod(), "containers", 0, "resources"),
  });
  expect(at(pod({ image }), "containers", 0)).toMatchObject({ image, command: ["/slipway/bin/slipway-step-runner"] });
});

test("the key is in a Secret that goes with its Job, and nowhere else", () => {
  const key = Buffer.from("0123456789abcdef0123456789abcdef");
  const secret = secretManifest(place, job, "a-uid", key);

  expect(secret).toMatchObject({
    immutable: true,
    metadata: { name: jobName(job.run), ownerReferences: [{ kind: "Job", uid: "a-uid" }] },
  });
  const inPod = Buffer.from(String(at(secret, "data", "key")), "base64").toString();
  expect(Buffer.from(inPod, "base64")).toEqual(key);
  expect(JSON.stringify(jobManifest(place, job))).not.toContain(inPod);
});

test("only the pod that builds a Dockerfile has what rootless BuildKit needs: no profile, two capabilities, its own account and two folders", () => {
  const image = `docker.io/moby/buildkit@sha256:${"0".repeat(64)}`;
  const builds = pod({ image, builds: true });

  expect(builds).toMatchObject({
    ...{ automountServiceAccountToken: false, restartPolicy: "Never" },
    securityContext: { runAsNonRoot: true, runAsUser: 1_000, runAsGroup: 1_000, fsGroup: 1_000 },
  });
  expect(at(builds, "containers", 0, "securityContext")).toEqual({
    ...{ privileged: false, readOnlyRootFilesystem: true, allowPrivilegeEscalation: true },
    capabilities: { drop: ["ALL"], add: ["SETGID", "SETUID"] },
    ...{ seccompProfile: { type: "Unconfined" }, appArmorProfile: { type: "Unconfined" } },
  });
  expect(at(builds, "initContainers", 0, "securityContext")).toEqual(at(pod(), "containers", 0, "securityContext"));
  expect(at(builds, "volumes")).toEqual(
    expect.arrayContaining([
      { name: "buildkit", emptyDir: { sizeLimit: "1024Mi" } },
      { name: "cache", emptyDir: { sizeLimit: "2048Mi" } },
    ]),
  );
  expect(at(builds, "containers", 0, "resources")).toMatchObject({
    requests: { "ephemeral-storage": "2752Mi" },
    limits: { "ephemeral-storage": "5632Mi" },
  });
  expect(at(pod({ image }), "volumes")).toEqual(at(pod(), "volumes"));
});

test("the pod is put on the nodes and run by the runtime that the place names, and autoscalers leave it alone until it has ended", () => {
  const apart = readKubernetesUrl(
    'kubernetes:?image=host/runner:1&node_selector=pool%3Dbuilds,disk%3Dssd&tolerations=[{"key":"pool"}]&runtime_class=gvisor',
  );
  const template = (builds: boolean) => at(jobManifest(apart, { ...job, builds }), "spec", "template");

  expect(at(template(false), "spec")).toMatchObject({
    nodeSelector: { pool: "builds", disk: "ssd" },
    tolerations: [{ key: "pool" }],
    runtimeClassName: "gvisor",
  });
  // BuildKit needs the user namespaces of a real kernel.
  expect(at(template(true), "spec")).toMatchObject({
    ...{ nodeSelector: { pool: "builds", disk: "ssd" }, tolerations: [{ key: "pool" }] },
  });
  expect(at(template(true), "spec")).not.toHaveProperty("runtimeClassName");
  expect(pod()).not.toHaveProperty("nodeSelector");
  expect(pod()).not.toHaveProperty("tolerations");
  expect(pod()).not.toHaveProperty("runtimeClassName");
  expect(at(template(false), "metadata", "annotations")).toEqual({
    "cluster-autoscaler.kubernetes.io/safe-to-evict": "false",
    "karpenter.sh/do-not-disrupt": "true",
  });
});
