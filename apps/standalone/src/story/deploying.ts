import {
  createDeployment,
  type DeploymentRequest,
  type DeploymentStatus,
  type DeploymentView,
  getDeployment,
  getDeploymentStatus,
} from "@slipway/contracts";
import type { DeploymentId, Digest } from "@slipway/kernel";
import { instant } from "@slipway/kernel";
import { StoryFailed, serviceName, type Telling } from "./context.ts";
import type { ChangeName } from "./state.ts";
import { readLoad, servedWeight } from "./traffic.ts";

const deployWithinMs = 240_000;
const lookEveryMs = 150;
const ended: readonly DeploymentStatus[] = ["SUCCEEDED", "ROLLED_BACK", "FAILED", "CANCELLED", "SUPERSEDED"];

/** Asks for the deployment of a change (once, by its idempotency key) and follows it to its end. */
export async function deploy(telling: Telling, name: ChangeName, digest: Digest): Promise<DeploymentView> {
  const { file, tell, countsFile } = telling;
  const change = file.state[name];
  if (change.deployment_id === undefined) {
    change.before ??= readLoad(countsFile);
    change.began_at ??= instant(Date.now());
    file.save();
    change.deployment_id = await ask(telling, name, digest);
    file.save();
  }
  tell.line(
    `${change.deployment_id}: ${serviceName} ${change.git_sha?.slice(0, 7)} to prod in ${telling.stack.layout.regions.length} regions`,
  );
  const view = await follow(telling, name, change.deployment_id);
  change.ended_at ??= view.updated_at;
  file.save();
  return view;
}

async function ask(telling: Telling, name: ChangeName, digest: Digest): Promise<DeploymentId> {
  const { stack, file } = telling;
  const initial = name === "first";
  const body: DeploymentRequest = {
    service: serviceName as DeploymentRequest["service"],
    version: digest,
    strategy: "canary",
    regions: stack.layout.regions.map((region) => region.name),
    ...(initial ? { confirm_initial: true } : {}),
  };
  const who = initial ? "approver" : "deployer";
  const answer = await stack
    .as(who)
    .call(createDeployment, { query: {}, body, idempotencyKey: `story-${file.state.number}-${name}` });
  if (answer.deployment_id === null) throw new StoryFailed("the deployment has no id");
  return answer.deployment_id;
}

async function follow(telling: Telling, name: ChangeName, id: DeploymentId): Promise<DeploymentView> {
  const { stack, tell, signal, file } = telling;
  const client = stack.as("viewer");
  const deadline = performance.now() + deployWithinMs;
  const seen = { gates: 0, line: "" };
  for (;;) {
    signal.throwIfAborted();
    const view = await client.call(getDeployment, { params: { id } });
    await noteWeights(telling, name, view.version);
    tellGates(telling, view, seen);
    const status = await client.call(getDeploymentStatus, { params: { id } });
    const line = `${view.status}${view.step === null ? "" : ` at ${status.weight_percent}%`}`;
    if (line !== seen.line) tell.line(`  ${line}${view.waiting === null ? "" : `, waiting for ${view.waiting.for}`}`);
    else if (status.sentence !== null) tell.passing(`  ${line}: ${status.sentence}`);
    seen.line = line;
    if (ended.includes(view.status)) {
      file.save();
      return view;
    }
    if (performance.now() > deadline)
      throw new StoryFailed(`${id} did not end: ${view.status}, waiting for ${view.waiting?.for ?? "nothing"}`);
    await new Promise((resolve) => setTimeout(resolve, lookEveryMs));
  }
}

function tellGates(telling: Telling, view: DeploymentView, seen: { gates: number }): void {
  for (const gate of view.gates.slice(seen.gates)) {
    const { canary_requests, canary_errors, baseline_requests, baseline_errors } = gate.counts;
    telling.tell.line(
      `  gate at ${gate.weight_percent}%: ${gate.verdict}: canary ${canary_errors}/${canary_requests} failed, baseline ${baseline_errors}/${baseline_requests}`,
    );
  }
  seen.gates = view.gates.length;
}

/** Every weight that a proxy said it served, by region, in order. */
async function noteWeights(telling: Telling, name: ChangeName, version: string): Promise<void> {
  const change = telling.file.state[name];
  const weights = change.weights ?? {};
  change.weights = weights;
  await Promise.all(
    telling.stack.layout.regions.map(async ({ name: region, adminUrl }) => {
      const served = await servedWeight(adminUrl, version);
      const list = weights[region] ?? [];
      weights[region] = list;
      if (served === null || served.now === list.at(-1) || (served.now === 0 && list.length === 0)) return;
      list.push(served.now);
      // A platform that is killed goes on with what was seen.
      telling.file.save();
    }),
  );
}
