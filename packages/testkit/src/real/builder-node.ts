import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmod, chown, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { bundleOf, type ContainerSpec, type UnpackedRoot } from "./builder-bundle.ts";
import type { RealRegion } from "./kubernetes.ts";
import type { RealPart } from "./part.ts";

const everyMs = 100;
const mergePatch = "application/merge-patch+json";

export type BuilderNodeOptions = {
  readonly runc: RealPart;
  readonly namespace: string;
  /** On a file system that heeds setuid programs. */
  readonly folder: string;
  readonly images: Readonly<Record<string, UnpackedRoot>>;
  /** Two bytes of addresses of the run's network, one for each pod. */
  readonly prefix: string;
};

/** A node that runs the pods of one namespace, each container by runc under just the security that its manifest asks for. */
export type BuilderNode = {
  /** From now on setuid programs gain nothing, as on a node whose policy forbids it whatever a pod asks for. */
  forbidEscalation(on: boolean): void;
  stop(): Promise<void>;
};

type Pod = {
  readonly metadata: { readonly name: string; readonly uid: string; readonly deletionTimestamp?: string };
  readonly spec: {
    readonly nodeName?: string;
    readonly securityContext: { readonly runAsUser: number; readonly fsGroup: number };
    readonly volumes: readonly { readonly name: string }[];
    readonly initContainers?: readonly ContainerSpec[];
    readonly containers: readonly ContainerSpec[];
  };
};

export async function startBuilderNode(real: RealRegion, options: BuilderNodeOptions): Promise<BuilderNode> {
  const { api } = real;
  const name = "builder";
  await api("POST", "/api/v1/nodes", { apiVersion: "v1", kind: "Node", metadata: { name } });
  const running = new Map<string, RunningPod>();
  const pods = `/api/v1/namespaces/${options.namespace}/pods`;
  let going = true;
  let forbidden = false;
  const look = async () => {
    const { items } = (await api("GET", pods)) as { readonly items: readonly Pod[] };
    for (const pod of items) {
      const path = `${pods}/${pod.metadata.name}`;
      if (pod.spec.nodeName === undefined) {
        const binding = { apiVersion: "v1", kind: "Binding", metadata: { name: pod.metadata.name } };
        await api("POST", `${path}/binding`, { ...binding, target: { apiVersion: "v1", kind: "Node", name } });
      } else if (pod.metadata.deletionTimestamp !== undefined) {
        await running.get(pod.metadata.uid)?.stop();
        await api("DELETE", `${path}?gracePeriodSeconds=0`);
      } else if (!running.has(pod.metadata.uid)) {
        const number = running.size + 1;
        const address = `${options.prefix}.${number >> 8}.${number & 255}`;
        const tell = (status: object) => api("PATCH", `${path}/status`, { status }, mergePatch).catch(() => undefined);
        running.set(pod.metadata.uid, startPod(real, options, pod, { address, escalates: !forbidden, tell }));
      }
    }
  };
  const working = (async () => {
    while (going) {
      await look().catch(() => undefined);
      await new Promise((resolve) => setTimeout(resolve, everyMs));
    }
  })();
  return {
    forbidEscalation: (on) => {
      forbidden = on;
    },
    async stop() {
      going = false;
      await working;
      for (const pod of running.values()) await pod.stop();
    },
  };
}

type RunningPod = { stop(): Promise<void> };

type Placed = {
  readonly address: string;
  readonly escalates: boolean;
  tell(status: object): Promise<unknown>;
};

function startPod(real: RealRegion, options: BuilderNodeOptions, pod: Pod, placed: Placed): RunningPod {
  const folder = join(options.folder, "pods", pod.metadata.uid);
  const state = join(options.folder, "runc");
  const env = { PATH: process.env.PATH, ...options.runc.env };
  let stopped = false;
  let child: ChildProcess | undefined;
  let id = "";
  const end = async (phase: "Succeeded" | "Failed", exitCode: number, message = "") => {
    const terminated = { exitCode, reason: exitCode === 0 ? "Completed" : "Error", message };
    await placed.tell({ phase, containerStatuses: [statusOf(pod.spec.containers[0], { terminated })] });
  };
  const run = async (container: ContainerSpec, at: number): Promise<number> => {
    const bundle = join(folder, String(at));
    await mkdir(bundle, { recursive: true });
    const image = options.images[container.image];
    if (image === undefined) throw new Error(`there is no image ${container.image}`);
    const config = bundleOf({
      ...{ container, image, folder, escalates: placed.escalates, account: pod.spec.securityContext },
      env: [...(await variables(real, options.namespace, container)), `HOST=${placed.address}`],
    });
    await writeFile(join(bundle, "config.json"), JSON.stringify(config));
    if (stopped) return 1;
    id = `${pod.metadata.uid}-${at}`;
    child = spawn(options.runc.program, ["--root", state, "run", "--bundle", bundle, id], { env });
    let words = "";
    for (const stream of [child.stdout, child.stderr])
      stream?.on("data", (chunk: Buffer) => {
        words = (words + chunk.toString()).slice(-2_000);
      });
    if (container === pod.spec.containers[0]) await placed.tell(runningStatus(container, placed.address));
    const [code] = (await once(child, "close")) as [number | null];
    if (code !== 0 && !stopped) await end("Failed", code ?? 137, words);
    return code ?? 137;
  };
  const done = (async () => {
    await makeVolumes(folder, pod);
    const containers = [...(pod.spec.initContainers ?? []), ...pod.spec.containers];
    for (const [at, container] of containers.entries()) if ((await run(container, at)) !== 0) return;
    await end("Succeeded", 0);
  })().catch((error: unknown) => end("Failed", 1, String(error)));
  return {
    async stop() {
      stopped = true;
      if (id !== "") spawnSync(options.runc.program, ["--root", state, "delete", "--force", id], { env });
      child?.kill("SIGKILL");
      await done;
    },
  };
}

function statusOf(container: ContainerSpec | undefined, state: object): object {
  const { name, image } = container ?? { name: "step", image: "" };
  return { name, image, imageID: image, ready: false, restartCount: 0, state };
}

function runningStatus(container: ContainerSpec, ip: string): object {
  const running = { startedAt: new Date().toISOString().replace(/\.\d+Z$/, "Z") };
  return {
    ...{ phase: "Running", podIP: ip, podIPs: [{ ip }] },
    containerStatuses: [statusOf(container, { running })],
  };
}

async function makeVolumes(folder: string, { spec }: Pod): Promise<void> {
  for (const { name } of spec.volumes) {
    const path = join(folder, "volumes", name);
    await mkdir(path, { recursive: true });
    await chown(path, 0, spec.securityContext.fsGroup);
    await chmod(path, 0o2777);
  }
}

async function variables(real: RealRegion, namespace: string, { env = [] }: ContainerSpec): Promise<string[]> {
  return Promise.all(
    env.map(async ({ name, value, valueFrom }) => {
      if (valueFrom === undefined) return `${name}=${value ?? ""}`;
      const { name: secret, key } = valueFrom.secretKeyRef;
      const found = await real.api("GET", `/api/v1/namespaces/${namespace}/secrets/${secret}`);
      const { data } = found as { readonly data: Readonly<Record<string, string>> };
      return `${name}=${Buffer.from(data[key] ?? "", "base64").toString()}`;
    }),
  );
}
