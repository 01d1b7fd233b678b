import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openWorkingCopy, type WorkingCopy } from "../../apps/standalone/src/story/working-copy.ts";
import {
  approvePromotion,
  type BuildView,
  createDeployment,
  type DeploymentRequest,
  type DeploymentView,
  getArtifact,
  getDeployment,
  listBuilds,
  requestPromotion,
} from "../../packages/contracts/src/index.ts";
import type { DeploymentId, Digest, EnvironmentName, GitSha } from "../../packages/kernel/src/index.ts";
import { until } from "../../packages/testkit/src/index.ts";
import { home, type Platform } from "./platform.ts";

export const serviceName = "orders";

export type Example = { readonly folder: string; readonly copy: WorkingCopy };
export type Kind = "good" | "bad" | "slow" | "crash";

/** A developer's clone of the example, with `replicas` pods per region and bakes of three seconds. */
export async function openExample(platform: Platform, replicas: number): Promise<Example> {
  const folder = join(platform.dataDir, "bench", serviceName);
  const copy = await openWorkingCopy({
    folder,
    example: join(home, "examples", "order-service"),
    remote: `${platform.url}/git/${serviceName}.git`,
    tokenFile: platform.tokenFile("deployer"),
  });
  const file = join(folder, "slipway.yaml");
  writeFileSync(file, readFileSync(file, "utf8").replaceAll(/replicas: \d+/g, `replicas: ${replicas}`));
  return { folder, copy };
}

/** Commits, pushes, waits for the build, and promotes the image to prod; its digest. */
export async function bring(platform: Platform, { copy }: Example, subject: string, kind?: Kind): Promise<Digest> {
  const behaviour = kind === undefined ? {} : { behaviour: { change: kind, release: `bench ${subject}` } };
  const sha = await copy.commit({ subject, ...behaviour });
  await copy.push(sha);
  const { status, digest, reason } = await buildOf(platform, sha);
  if (status !== "SUCCEEDED" || digest === null) throw new Error(`the build of ${subject} ended ${status}: ${reason}`);
  await promote(platform, digest);
  return digest;
}

export async function buildOf(platform: Platform, sha: GitSha): Promise<BuildView> {
  const ended = async () => {
    const { builds } = await platform.as("viewer").call(listBuilds, { query: { git_sha: sha, page_size: 10 } });
    return builds.find((build) => build.ended_at !== null);
  };
  return await until(ended, { what: `the build of ${sha}`, timeoutMs: 180_000 });
}

async function promote(platform: Platform, digest: Digest): Promise<void> {
  for (const to of ["staging", "prod"] as EnvironmentName[]) {
    const asked = await platform
      .as("deployer")
      .call(requestPromotion, { params: { digest }, body: { to }, idempotencyKey: `bench-${digest}-${to}` });
    if (asked.approvals_needed > 0)
      await platform
        .as("approver")
        .call(approvePromotion, { params: { id: asked.promotion_id }, body: { reason: "benchmark" } });
    const there = async () => {
      const { environments } = await platform.as("viewer").call(getArtifact, { params: { digest } });
      return environments.some(({ environment }) => environment === to);
    };
    await until(there, { what: `the promotion to ${to}`, timeoutMs: 20_000 });
  }
}

/** As an approver, who may deploy a version that was rolled back again. */
export async function deploy(platform: Platform, digest: Digest, initial = false): Promise<DeploymentView> {
  const body: DeploymentRequest = {
    service: serviceName as DeploymentRequest["service"],
    version: digest,
    strategy: "canary",
    ...(initial ? { confirm_initial: true } : {}),
  };
  const answer = await platform.as("approver").call(createDeployment, { query: {}, body });
  if (answer.deployment === null) throw new Error("the deployment was not accepted");
  return answer.deployment;
}

const endings = new Set(["SUCCEEDED", "ROLLED_BACK", "FAILED", "CANCELLED", "SUPERSEDED"]);

export async function untilEnded(platform: Platform, id: DeploymentId): Promise<DeploymentView> {
  const ended = async () => {
    const view = await platform.as("viewer").call(getDeployment, { params: { id } });
    return endings.has(view.status) ? view : undefined;
  };
  return await until(ended, { what: `the end of ${id}`, timeoutMs: 180_000 });
}

/** The first version, in prod, in every region. */
export async function deployFirst(platform: Platform, digest: Digest): Promise<DeploymentView> {
  const { deployment_id } = await deploy(platform, digest, true);
  const view = await untilEnded(platform, deployment_id);
  if (view.status !== "SUCCEEDED") throw new Error(`the first version ended ${view.status}: ${view.reason}`);
  return view;
}
