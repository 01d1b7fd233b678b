import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLogger } from "@slipway/sql";
import {
  type BuildsCluster,
  builderImage,
  buildsNamespace,
  executorContract,
  hasAddresses,
  type KubeMethod,
  realPart,
  runnerImage,
  startBuildsCluster,
  toolImage,
} from "@slipway/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type Executor,
  type ExecutorStep,
  kubernetesExecutor,
  kubernetesProblem,
  readKubernetesUrl,
} from "../src/index.ts";

const [etcd, kubernetes, helm] = [realPart("etcd"), realPart("kubernetes"), realPart("helm")];
const parts = etcd && kubernetes && helm && hasAddresses() ? { etcd, kubernetes, helm } : undefined;
const missing = parts === undefined ? "no real Kubernetes, no Helm, or no network of its own" : undefined;

let cluster: BuildsCluster;
beforeAll(async () => {
  if (parts !== undefined) cluster = await startBuildsCluster(parts);
});
afterAll(() => cluster?.stop());

const opened = ({ kubeconfig = cluster.kubeconfig, ...query }: Record<string, string> = {}) => {
  const params = new URLSearchParams({ image: runnerImage, start_seconds: "60", ...query });
  const place = readKubernetesUrl(`kubernetes://${kubeconfig}?${params}`);
  return kubernetesExecutor(place, { secret: "a service's own token", log: silentLogger });
};

async function open(query: Record<string, string> = {}): Promise<Executor> {
  const executor = await opened(query);
  if (executor.kind === "refused") throw new Error(executor.reason);
  return executor;
}

executorContract(
  "a Job on a real API server, as the account that the chart makes",
  async () => {
    const executor = await open();
    return { executor, close: () => executor.close() };
  },
  missing,
);

describe.skipIf(parts === undefined)("steps as Jobs", () => {
  let folder = "";
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "slipway-jobs-"));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  const step = async (script: string, more: Partial<ExecutorStep> = {}): Promise<ExecutorStep> => ({
    ...{ identity: "B-1", workspace: await mkdtemp(join(folder, "ws-")), network: "none", timeoutMs: 60_000 },
    registries: { hosts: [], env: {} },
    toolchain: { mounts: [], env: {}, path: "", python: undefined, go: undefined, versions: "" },
    command: ["/bin/sh", "-eu", "-c", script],
    ...{ onOutput: () => undefined, onNetwork: () => undefined },
    ...more,
  });

  test("a namespace that denies nothing by default is refused, and so are rights that are missing and a namespace that is", async () => {
    const admin = { kubeconfig: cluster.real.kubeconfig };

    expect(await opened({ ...admin, namespace: "default" })).toMatchObject({
      kind: "refused",
      reason: "no NetworkPolicy of the namespace default denies its pods what no other one allows",
      remedy: expect.stringContaining("builds-on-kubernetes.md"),
    });
    expect(await opened({ namespace: "default" })).toMatchObject({
      kind: "refused",
      reason: expect.stringMatching(/may not create jobs, get jobs, .*list networkpolicies in the namespace default/),
    });
    expect(await opened({ ...admin, namespace: "absent" })).toMatchObject({
      kind: "refused",
      reason: expect.stringMatching(/would not take a step's Job in the namespace absent: .*not found/),
    });
    // The place of the steps is as it should be, the one of BuildKit is not.
    expect(await opened({ buildkit_image: builderImage, buildkit_namespace: "default" })).toMatchObject({
      kind: "refused",
      reason: expect.stringMatching(/may not create jobs, .*in the namespace default/),
    });
  });

  test("the doctor says the same of such places, and nothing of one that is well", async () => {
    const { kubeconfig } = cluster;
    const problem = (query: Record<string, string> = {}, way = kubeconfig) => {
      const params = new URLSearchParams({ image: runnerImage, ...query });
      return kubernetesProblem(readKubernetesUrl(`kubernetes://${way}?${params}`));
    };

    expect(await problem()).toBeUndefined();
    expect(await problem({ namespace: "default" }, cluster.real.kubeconfig)).toMatch(
      /^no NetworkPolicy of the namespace default .*: install the chart with builds\.executor=kubernetes/,
    );
    expect(await problem({ namespace: "default" })).toMatch(
      /may not create jobs, .* in the namespace default: install/,
    );
    expect(await problem({}, await cluster.real.kubeconfigWith("nobody's"))).toMatch(
      /^the cluster of SLIPWAY_EXECUTOR: its API refuses the credentials: put a valid token into /,
    );
    expect(await kubernetesProblem(readKubernetesUrl(`kubernetes:?image=${runnerImage}`))).toMatch(
      /this process runs in no pod of a cluster: name a kubeconfig in SLIPWAY_EXECUTOR$/,
    );
  });

  test("the account can neither read a Secret nor enter a pod, nor start one but by a Job, nor do anything elsewhere", async () => {
    const account = await cluster.real.tokenOf({ namespace: "slipway", name: "slipway-build-service" });
    const call = cluster.real.callAs(account);
    const pods = `/api/v1/namespaces/${buildsNamespace}/pods`;
    const calls: readonly (readonly [KubeMethod, string, object?])[] = [
      ["GET", `/api/v1/namespaces/${buildsNamespace}/secrets`],
      ["POST", pods, { apiVersion: "v1", kind: "Pod", metadata: { name: "x" }, spec: { containers: [] } }],
      ["POST", `${pods}/x/exec?command=sh`],
      ["GET", `${pods}/x/log`],
      ["GET", "/apis/batch/v1/namespaces/default/jobs"],
      ["GET", "/api/v1/namespaces/slipway/secrets"],
    ];

    for (const [method, path, body] of calls)
      await expect(call(method, path, body), path).rejects.toMatchObject({ status: 403 });
  });

  test("a step in an image of its own has that image's programs, files and variables, and the runner that it lacks", async () => {
    const executor = await open();
    let output = "";
    const image = `${toolImage.host}/${toolImage.repository}@${toolImage.digest}`;

    const result = await executor.run(
      await step("cat /etc/app/release; echo $FROM_IMAGE $HOME; node --version || echo no node; env", {
        image,
        onOutput: (chunk) => {
          output += Buffer.from(chunk).toString();
        },
      }),
    );

    expect(result, output).toMatchObject({ outcome: "succeeded" });
    expect(output).toMatch(/^a small image\nyes \/tmp\n.*no node\n/s);
    expect(output).not.toMatch(/SLIPWAY|LD_LIBRARY_PATH/);
    await executor.close();
  });

  test("a pod that cannot start says why while it waits, and the step is to be tried again", async () => {
    const executor = await open({ start_seconds: "15" });
    const lines: string[] = [];
    const image = `127.0.0.1:1/absent@sha256:${"9".repeat(64)}`;

    const running = executor.run(await step("true", { image, onNetwork: (line) => lines.push(line) }));

    await expect(running).rejects.toThrow(/did not start within 15s: .*(ErrImagePull|ImagePullBackOff)/);
    expect(lines).toEqual(expect.arrayContaining([expect.stringMatching(/^waits for its pod: .*Image/)]));
    await executor.close();
  });

  test("a pod that the cluster refuses is told of in the cluster's words", async () => {
    const ranges = `/api/v1/namespaces/${buildsNamespace}/limitranges`;
    const limits = [{ type: "Container", max: { memory: "100Mi" } }];
    const range = { apiVersion: "v1", kind: "LimitRange", metadata: { name: "small" }, spec: { limits } };
    await cluster.real.api("POST", ranges, range);
    const executor = await open({ start_seconds: "5" });

    await expect(executor.run(await step("true"))).rejects.toThrow(/FailedCreate: .*maximum memory usage/);
    await cluster.real.api("DELETE", `${ranges}/small`);
    await executor.close();
  });

  test("a step that was begun is gone on with under its name: its output from a byte on, and it runs once", async () => {
    const [first, second] = [await open(), await open()];
    const stop = new AbortController();
    const run = "B-1 a-checkout compile";
    const script = "echo one; echo two; sleep 2; echo three; echo made > file";
    let heard = "";
    const cut = await first.run(
      await step(script, {
        run,
        signal: stop.signal,
        onOutput: (chunk) => {
          heard += Buffer.from(chunk).toString();
          if (heard.includes("two\n")) stop.abort();
        },
      }),
    );
    const notes: string[] = [];
    let more = "";

    const result = await second.run(
      await step("echo another", {
        ...{ run, outputFrom: 4, onNetwork: (line) => notes.push(line) },
        onOutput: (chunk) => {
          more += Buffer.from(chunk).toString();
        },
      }),
    );

    expect(cut).toMatchObject({ outcome: "cancelled" });
    expect(result).toMatchObject({ outcome: "succeeded", exitCode: 0 });
    expect(more).toBe("two\nthree\n");
    expect(notes).toEqual([expect.stringMatching(/^goes on with its Job step-/)]);
    await second.release(run);
    await Promise.all([first.close(), second.close()]);
  });

  test("without the key nobody gets a word out of a pod", async () => {
    const [ours, stranger] = [
      await open(),
      await kubernetesExecutor(placeOf(), { secret: "another", log: silentLogger }),
    ];
    if (stranger.kind === "refused") throw new Error(stranger.reason);
    const run = "B-2 a-checkout compile";
    const stop = new AbortController();
    const cut = step("echo begun; sleep 30", { run, signal: stop.signal, onOutput: () => stop.abort() });
    await ours.run(await cut);
    let heard = "";
    const within = AbortSignal.timeout(3_000);

    const result = await stranger.run(
      await step("echo mine", {
        run,
        signal: within,
        onOutput: (chunk) => {
          heard += String(chunk);
        },
      }),
    );

    expect(result).toMatchObject({ outcome: "cancelled" });
    expect(heard).toBe("");
    await ours.forget("B-1");
    await Promise.all([ours.close(), stranger.close()]);
  });

  const placeOf = () =>
    readKubernetesUrl(`kubernetes://${cluster.kubeconfig}?image=${encodeURIComponent(runnerImage)}`);

  test("a pod that somebody deletes under its step is lost, and the next try is a new one", async () => {
    const executor = await open();
    const run = "B-3 a-checkout compile";
    const deletePods = () => cluster.real.api("DELETE", `/api/v1/namespaces/${buildsNamespace}/pods`);
    let deleted = false;
    const interrupted = step("echo begun; sleep 30", {
      run,
      onOutput: async () => {
        if (deleted) return;
        deleted = true;
        await deletePods();
      },
    });

    await expect(executor.run(await interrupted)).rejects.toThrow(/ended before the step did|was deleted|ended \(/);
    expect(await executor.run(await step("echo again", { run }))).toMatchObject({ outcome: "succeeded" });
    await executor.release(run);
    await executor.close();
  });
});
