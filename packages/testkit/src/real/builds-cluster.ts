import { execFile } from "node:child_process";
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { startAgent } from "@slipway/local-region";
import { silentLogger } from "@slipway/sql";
import { makeSmallRoot } from "../small-root.ts";
import { makeBuilderRoot } from "./builder-image.ts";
import { type BuilderNode, startBuilderNode } from "./builder-node.ts";
import { type RealRegion, type RegionParts, startRegion } from "./kubernetes.ts";
import { singleNode } from "./node.ts";
import { type RealPart, runFolder } from "./part.ts";

const digest = "1".repeat(64);
const node = "machine";
const checkout = join(import.meta.dirname, "../../../..");

const toolDigest = "2".repeat(64);
/** Of a step: a shell and a few tools, no Node, and a variable of its own. */
export const toolImage = { host: "127.0.0.1:1", repository: "tool", digest: `sha256:${toolDigest}` } as const;

/** Lies unpacked on the node: a shell, a few tools, Node and the runner. */
export const runnerImage = `127.0.0.1:1/runner@sha256:${digest}`;

/**
 * A real API server with its controllers, on which steps of builds run: the chart's namespace, rights and policies are there, and its pods are real
 * processes, whose network nobody holds back.
 */
export type BuildsCluster = {
  readonly real: RealRegion;
  /** Of the build-service's own account. */
  readonly kubeconfig: string;
  /** On which Dockerfiles are built. */
  readonly builder: BuilderNode | undefined;
  stop(): Promise<void>;
};

/** With `buildkit` and `runc` Dockerfiles are built there, too. */
export type BuildsParts = RegionParts & {
  readonly helm: RealPart;
  readonly buildkit?: RealPart;
  readonly runc?: RealPart;
};

export const buildsNamespace = "slipway-builds";
export const imageBuildsNamespace = "slipway-image-builds";
/** Lies unpacked on a node of its own. */
export const builderImage = `127.0.0.1:1/buildkit@sha256:${"3".repeat(64)}`;
const account = { namespace: "slipway", name: "slipway-build-service" };

export async function startBuildsCluster(parts: BuildsParts): Promise<BuildsCluster> {
  const real = await startRegion(parts);
  const folder = await mkdtemp(join(tmpdir(), "slipway-builds-"));
  await chmod(folder, 0o755);
  await real.kubectl(["create", "namespace", account.namespace]);
  await real.kubectl(["create", "serviceaccount", account.name, "-n", account.namespace]);
  await real.kubectl(["apply", "-f", "-"], await renderBuilds(parts.helm, folder));
  await placeRunnerImage(join(folder, "images"));
  await placeToolImage(join(folder, "images"));
  const nodes = await singleNode(real, node, { but: imageBuildsNamespace });
  const builder = await startBuilder(real, parts, join(folder, "images"));
  const agent = await startAgent({
    ...{ region: "builds", node, kubeconfig: real.kubeconfig, network: { kind: "addresses", prefix: "10.79" } },
    ...{ dir: join(folder, "node"), imagesDir: join(folder, "images"), log: silentLogger },
  });
  return {
    ...{ real, kubeconfig: await real.kubeconfigWith(await real.tokenOf(account)), builder: builder?.node },
    async stop() {
      await builder?.stop();
      await agent.stop({ leavePods: false });
      await nodes.stop();
      await real.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** What the chart makes for steps. */
async function renderBuilds(helm: RealPart, home: string): Promise<string> {
  const args = ["template", "slipway", join(checkout, "deploy/helm/slipway"), "--namespace", account.namespace];
  const [repository, pinned] = runnerImage.split("@");
  const values = [
    ...["builds.executor=kubernetes", `builds.kubernetes.buildkit.image=${builderImage}`],
    ...[`image.repository=${repository}`, `image.digest=${pinned}`],
  ];
  const { stdout } = await promisify(execFile)(
    helm.program,
    [...args, ...values.flatMap((value) => ["--set", value]), "--show-only", "templates/builds.yaml"],
    { env: { PATH: process.env.PATH, HOME: home } },
  );
  return stdout;
}

/** In the folder of the run, which has to heed setuid programs and file capabilities (TMPDIR puts it elsewhere), and goes with it however it ends. */
async function startBuilder(real: RealRegion, { buildkit, runc }: BuildsParts, imagesDir: string) {
  if (buildkit === undefined || runc === undefined) return undefined;
  const folder = await mkdtemp(join(runFolder(), "builder-"));
  await chmod(folder, 0o755);
  const images = {
    [builderImage]: await makeBuilderRoot(join(folder, "root"), { buildkit, runc }),
    [runnerImage]: { root: join(imagesDir, digest, "root"), env: ["PATH=/usr/bin"] },
  };
  const about = { runc, folder, images, namespace: imageBuildsNamespace, prefix: "10.80" };
  const builder = await startBuilderNode(real, about);
  return {
    node: builder,
    async stop() {
      await builder.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function placeRunnerImage(imagesDir: string): Promise<void> {
  const home = join(imagesDir, digest);
  const root = join(home, "root");
  for (const folder of ["slipway", "buildkit", "proc", "sys", "dev"])
    await mkdir(join(root, folder), { recursive: true });
  await makeSmallRoot(root, ["date", "head", "rm", "sleep", process.execPath]);
  const bundle = join(checkout, "scripts/bundle.mjs");
  await promisify(execFile)(process.execPath, [bundle, "--step-runner", join(root, "usr/lib/slipway")]);
  const start = '#!/bin/sh\nexec node /usr/lib/slipway/step-runner.mjs "$@"\n';
  await writeFile(join(root, "usr/bin/slipway-step-runner"), start, { mode: 0o755 });
  const note = { command: ["slipway-step-runner"], env: { PATH: "/usr/bin" }, workingDir: "/", user: "1000:1000" };
  await writeFile(join(home, "image.json"), JSON.stringify(note));
}

async function placeToolImage(imagesDir: string): Promise<void> {
  const home = join(imagesDir, toolDigest);
  await makeSmallRoot(join(home, "root"));
  const env = { PATH: "/usr/bin", FROM_IMAGE: "yes", HOME: "/root" };
  await writeFile(join(home, "image.json"), JSON.stringify({ command: ["sh"], env, workingDir: "/", user: "" }));
}
