import { type ConsumerGroup, deploymentTopic, parseEvent, type WatchRequest } from "@slipway/contracts";
import type { Subscription } from "@slipway/host";
import type { DeploymentId } from "@slipway/kernel";
import type { WatchInput } from "./domain/watch.ts";
import type { Service } from "./service.ts";

const group: ConsumerGroup = "rollback-controller";

const ending = new Set([
  "deployment.rolled_back",
  "deployment.failed",
  "deployment.cancelled",
  "deployment.superseded",
  "deployment.verified",
]);

/** A watch ends with its deployment (a verified one's at its time), or when another version has come to 100% in its place. */
export function subscriptions(service: Service): readonly Subscription[] {
  return [
    {
      group,
      topics: [deploymentTopic.name],
      handler: async (event) => {
        const read = parseEvent(deploymentTopic, event);
        if (read === undefined) return;
        const { deployment_id } = read.data;
        if (read.type === "deployment.verified" && (await goesOn(service, deployment_id))) return;
        if (ending.has(read.type)) await endWatch(service, deployment_id, read.type.slice("deployment.".length));
        if (read.type === "deployment.succeeded") await endReplaced(service, read.data);
      },
    },
  ];
}

/** The watch of a verified version goes on until its time is over. */
async function goesOn({ stored, clock }: Service, id: DeploymentId): Promise<boolean> {
  const until = (await stored.specOf(id))?.until;
  return until !== undefined && until > clock.now();
}

/** Whichever process has them: the event comes to one of them. */
async function endReplaced(
  service: Service,
  by: { deployment_id: DeploymentId } & Pick<WatchRequest, "service" | "environment">,
): Promise<void> {
  const replaced = (await service.stored.serving(by)).filter(({ id }) => id !== by.deployment_id);
  const epochs = (await service.stored.specOf(by.deployment_id))?.epochs;
  for (const { id, spec } of replaced)
    if (isOlder(id, spec.epochs, by.deployment_id, epochs))
      await endWatch(service, id, `replaced by ${by.deployment_id}`);
}

/** Grants tell which came later; ids only where the newer one was never watched, since a rollback overtakes what waits. */
function isOlder(
  id: DeploymentId,
  epochs: Readonly<Record<string, number>>,
  other: DeploymentId,
  otherEpochs: Readonly<Record<string, number>> | undefined,
): boolean {
  if (otherEpochs === undefined) return numberOf(id) < numberOf(other);
  return Object.entries(epochs).some(([region, epoch]) => (otherEpochs[region] ?? 0) > epoch);
}

export async function endWatch(service: Service, id: DeploymentId, outcome: string): Promise<void> {
  const watcher = service.watchers.get(id);
  const { totals, judgement } =
    watcher === undefined
      ? await service.stored.lastSeen(id)
      : { totals: watcher.looking.totals, judgement: watcher.judgement };
  const ended: WatchInput = { type: "DeploymentEnded", outcome, totals, judgement };
  await service.durable.send(service.machine, id, () => ended);
  await service.keeper.end(id);
}

function numberOf(id: DeploymentId): number {
  return Number(id.slice(2));
}
