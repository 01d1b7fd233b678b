import {
  createDeployment,
  type DeploymentRequest,
  type DeploymentView,
  endedStatuses,
  getDeployment,
  getDeploymentStatus,
  waitsText,
} from "@slipway/contracts";
import type { DeploymentId, Digest } from "@slipway/kernel";
import { instant } from "@slipway/kernel";
import { type OnItsWay, StoryFailed, serviceName, unlessAway, type Work } from "./context.ts";
import { countsText } from "./counts-text.ts";
import { readLoad, servedWeight, startTraffic } from "./traffic.ts";

const deployWithinMs = 240_000;
const lookEveryMs = 250;

/** What was told already. */
type Seen = { gates: number; line: string };

/** Asks for the deployment of a change (once, by its idempotency key), with requests coming, and follows it to its end. */
export async function deploy(work: Work, change: OnItsWay, digest: Digest): Promise<DeploymentView> {
  // Before the first version nobody answers.
  if (!change.initial) await startTraffic(work);
  const { tell, countsFile } = work;
  const { record } = change;
  if (record.deployment_id === undefined) {
    record.before ??= readLoad(countsFile);
    record.began_at ??= instant(Date.now());
    change.save();
    record.deployment_id = await ask(work, change, digest);
    change.save();
  }
  tell.line(
    `${record.deployment_id}: ${serviceName} ${record.git_sha?.slice(0, 7)} to prod in ${work.stack.layout.regions.length} regions`,
  );
  const view = await follow(work, change, record.deployment_id);
  record.ended_at ??= view.updated_at;
  change.save();
  return view;
}

async function ask({ stack }: Work, { initial, key }: OnItsWay, digest: Digest): Promise<DeploymentId> {
  const body: DeploymentRequest = {
    service: serviceName as DeploymentRequest["service"],
    version: digest,
    strategy: "canary",
    regions: stack.layout.regions.map((region) => region.name),
    ...(initial ? { confirm_initial: true } : {}),
  };
  const who = initial ? "approver" : "deployer";
  const answer = await stack.as(who).call(createDeployment, { query: {}, body, idempotencyKey: key });
  if (answer.deployment_id === null) throw new StoryFailed("the deployment has no id");
  return answer.deployment_id;
}

async function follow(work: Work, change: OnItsWay, id: DeploymentId): Promise<DeploymentView> {
  const { signal } = work;
  const deadline = performance.now() + deployWithinMs;
  const seen: Seen = { gates: 0, line: "" };
  for (;;) {
    signal.throwIfAborted();
    const view = await unlessAway(lookOnce(work, change, id, seen));
    if (view !== undefined && endedStatuses.has(view.status)) {
      change.save();
      return view;
    }
    if (performance.now() > deadline) {
      const why =
        view === undefined ? "the API does not answer" : `${view.status}, ${waitsText(view) || "waiting for nothing"}`;
      throw new StoryFailed(`${id} did not end: ${why}`);
    }
    await new Promise((resolve) => setTimeout(resolve, lookEveryMs));
  }
}

async function lookOnce(work: Work, change: OnItsWay, id: DeploymentId, seen: Seen): Promise<DeploymentView> {
  const { stack, tell } = work;
  const client = stack.as("viewer");
  const view = await client.call(getDeployment, { params: { id } });
  await noteWeights(work, change, view);
  tellGates(work, view, seen);
  const status = await client.call(getDeploymentStatus, { params: { id } });
  const state = `${view.status}${view.step === null ? "" : ` at ${status.weight_percent}%`}`;
  const waits = waitsText(view);
  const waiting = waits === "" ? "" : `, ${waits}`;
  // Told again where it waits for something else, not where it waits for one region less.
  const line = `${state}${waiting.replace(/ in .*/, "")}`;
  if (line !== seen.line) tell.line(`  ${state}${waiting}`);
  else if (status.sentence !== null) tell.passing(`  ${state}: ${status.sentence}`);
  seen.line = line;
  return view;
}

function tellGates(work: Work, view: DeploymentView, seen: Seen): void {
  for (const gate of view.gates.slice(seen.gates)) {
    work.tell.line(`  gate at ${gate.weight_percent}%: ${gate.verdict}: ${countsText(gate)}`);
  }
  seen.gates = view.gates.length;
}

/** Every weight that a region served, in order: by the word of this laptop's proxies, else as the platform knows it: confirmed, or written and perhaps served until the mesh shows otherwise. */
async function noteWeights({ stack }: Work, change: OnItsWay, view: DeploymentView): Promise<void> {
  const weights = change.record.weights ?? {};
  change.record.weights = weights;
  await Promise.all(
    stack.layout.regions.map(async ({ name: region, local }) => {
      const now =
        local === undefined
          ? weightKnown(view.regions[region])
          : (await servedWeight(local.adminUrl, view.version))?.now;
      const list = weights[region] ?? [];
      weights[region] = list;
      if (now === undefined || now === list.at(-1) || (now === 0 && list.length === 0)) return;
      list.push(now);
      // A platform that is killed goes on with what was seen.
      change.save();
    }),
  );
}

function weightKnown(region: DeploymentView["regions"][string] | undefined): number | undefined {
  return region && Math.max(region.weight_percent, region.unproven?.from_percent ?? 0);
}
