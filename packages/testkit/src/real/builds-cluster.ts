import { execFile } from "node:child_process";
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { startAgent } from "@slipway/local-region";
import { silentLogger } from "@slipway/sql";
import { makeSmallRoot } from "../small-root.ts";
import { type RealRegion, type RegionParts, startRegion } from "./kubernetes.ts";
import { singleNode } from "./node.ts";

const digest = "1".repeat(64);
const node = "machine";

/** Lies unpacked on the node: a shell, a few tools, Node and the runner. */
export const runnerImage = `127.0.0.1:1/runner@sha256:${digest}`;

/** A real API server with its controllers, on which steps of builds run: its pods are real processes, and nobody holds back their network. */
export type BuildsCluster = {
  readonly real: RealRegion;
  readonly namespace: string;
  stop(): Promise<void>;
};

export const buildsNamespace = "slipway-builds";

export async function startBuildsCluster(parts: RegionParts): Promise<BuildsCluster> {
  const real = await startRegion(parts);
  const folder = await mkdtemp(join(tmpdir(), "slipway-builds-"));
  await chmod(folder, 0o755);
  const enforce = (level: string) => `pod-security.kubernetes.io/${level}`;
  await real.api("POST", "/api/v1/namespaces", {
    ...{ apiVersion: "v1", kind: "Namespace" },
    metadata: {
      name: buildsNamespace,
      labels: { [enforce("enforce")]: "restricted", [enforce("warn")]: "restricted" },
    },
  });
  await placeRunnerImage(join(folder, "images"));
  const nodes = await singleNode(real, node);
  const agent = await startAgent({
    ...{ region: "builds", node, kubeconfig: real.kubeconfig, network: { kind: "addresses", prefix: "10.79" } },
    ...{ dir: join(folder, "node"), imagesDir: join(folder, "images"), log: silentLogger },
  });
  return {
    ...{ real, namespace: buildsNamespace },
    async stop() {
      await agent.stop({ leavePods: false });
      await nodes.stop();
      await real.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function placeRunnerImage(imagesDir: string): Promise<void> {
  const home = join(imagesDir, digest);
  const root = join(home, "root");
  await makeSmallRoot(root, ["date", "head", "rm", "sleep", process.execPath]);
  const bundle = join(import.meta.dirname, "../../../../scripts/bundle.mjs");
  await promisify(execFile)(process.execPath, [bundle, "--step-runner", join(root, "usr/lib/slipway")]);
  const start = '#!/bin/sh\nexec node /usr/lib/slipway/step-runner.mjs "$@"\n';
  await writeFile(join(root, "usr/bin/slipway-step-runner"), start, { mode: 0o755 });
  const note = { command: ["slipway-step-runner"], env: { PATH: "/usr/bin" }, workingDir: "/", user: "1000:1000" };
  await writeFile(join(home, "image.json"), JSON.stringify(note));
}
