import { readFileSync } from "node:fs";
import { join } from "node:path";
import {
  approvePromotion,
  type BuildView,
  buildLogPath,
  getArtifact,
  getBuild,
  listBuilds,
  listPromotions,
  requestPromotion,
} from "@slipway/contracts";
import type { Digest, EnvironmentName, GitSha } from "@slipway/kernel";
import { deliverPush, HookFile } from "../git/deliver-push.ts";
import { type OnItsWay, StoryFailed, serviceName, type Work, waitFor } from "./context.ts";

const buildWithinMs = 180_000;
const noCommit = "0".repeat(40);

/** Commits a change, pushes it, and follows the build that the push started; its image's digest. */
export async function pushAndBuild(work: Work, change: OnItsWay): Promise<Digest> {
  const { copy, tell } = work;
  const { record } = change;
  if (record.digest !== undefined) return record.digest;
  record.git_sha ??= await change.commit();
  change.save();
  const sha = record.git_sha;
  tell.line(`git push: ${sha.slice(0, 7)} to ${work.stack.url}/git/${serviceName}.git`);
  await copy.push(sha);
  const found = (await findBuild(work, sha)) ?? (await redeliver(work, sha));
  const build = await followBuild(work, found);
  if (build.digest === null || build.status !== "SUCCEEDED")
    throw new StoryFailed(`build ${build.build_id} ended ${build.status}: ${build.reason ?? "no reason"}`);
  record.digest = build.digest;
  change.save();
  tell.line(
    `image ${serviceName}:${sha.slice(0, 7)} is ${build.digest.slice(0, 19)}… (isolation: ${build.isolation ?? "none"})`,
  );
  return build.digest;
}

async function findBuild(work: Work, sha: GitSha): Promise<BuildView | undefined> {
  const { builds } = await work.stack.as("viewer").call(listBuilds, { query: { git_sha: sha, page_size: 10 } });
  return builds.find((build) => build.status !== "CANCELLED");
}

/** A push that was received while the platform was being killed has told nobody: its webhook is delivered again. */
async function redeliver(work: Work, sha: GitSha): Promise<BuildView> {
  const hook = HookFile.parse(
    JSON.parse(readFileSync(join(work.options.dataDir, "git", `${serviceName}.git`, "slipway-hook.json"), "utf8")),
  );
  await deliverPush(hook, { before: noCommit, after: sha, ref: "refs/heads/main" });
  return waitFor(work, `a build of ${sha.slice(0, 7)}`, 15_000, () => findBuild(work, sha));
}

async function followBuild(work: Work, found: BuildView): Promise<BuildView> {
  const { stack, tell, options } = work;
  const client = stack.as("viewer");
  const shown = new Set<string>();
  const log = options.verbose ? streamLog(work, found.build_id) : undefined;
  const build = await waitFor(work, `the end of build ${found.build_id}`, buildWithinMs, async () => {
    const now = await client.call(getBuild, { params: { id: found.build_id } });
    for (const step of now.steps) {
      const key = `${step.name} ${step.state}`;
      if (shown.has(key) || step.state === "waiting" || step.state === "running") continue;
      shown.add(key);
      tell.line(`  ${step.name.padEnd(12)} ${step.state}${took(step.started_at, step.ended_at)}`);
    }
    return now.status === "QUEUED" || now.status === "RUNNING" ? undefined : now;
  });
  await log;
  return build;
}

function took(from: string | null, to: string | null): string {
  return from === null || to === null ? "" : ` in ${((Date.parse(to) - Date.parse(from)) / 1_000).toFixed(1)} s`;
}

async function streamLog(work: Work, id: string): Promise<void> {
  for await (const event of work.stack.as("viewer").stream(buildLogPath(id), { signal: work.signal })) {
    for (const line of event.data.split("\n")) work.tell.line(`    ${line}`);
  }
}

/** dev -> staging -> prod: asked for by the deployer, the last one approved by somebody else. Each is an audited row. */
export async function promoteToProd(work: Work, digest: Digest): Promise<void> {
  const { stack, tell } = work;
  for (const to of ["staging", "prod"] as EnvironmentName[]) {
    const artifact = await stack.as("viewer").call(getArtifact, { params: { digest } });
    if (artifact.environments.some((entry) => entry.environment === to)) continue;
    const { promotions } = await stack.as("viewer").call(listPromotions, { params: { digest } });
    const open = promotions.find((promotion) => promotion.to === to && promotion.status === "PENDING");
    const asked =
      open ??
      (await stack
        .as("deployer")
        .call(requestPromotion, { params: { digest }, body: { to }, idempotencyKey: `story-${digest}-${to}` }));
    if (asked.status === "PENDING" && asked.approvals_needed > 0) {
      await stack.as("approver").call(approvePromotion, {
        params: { id: asked.promotion_id },
        body: { reason: "story" },
        idempotencyKey: `story-${asked.promotion_id}`,
      });
    }
    await waitFor(work, `the promotion to ${to}`, 15_000, async () => {
      const now = await stack.as("viewer").call(getArtifact, { params: { digest } });
      return now.environments.some((entry) => entry.environment === to) ? true : undefined;
    });
    const approved = asked.approvals_needed > 0 ? ", approved by approver" : "";
    tell.line(`promoted to ${to}: asked for by deployer${approved}`);
  }
}
