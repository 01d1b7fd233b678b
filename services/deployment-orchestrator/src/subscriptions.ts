import { inboxHas, inboxOnce } from "@slipway/bus";
import { type ConsumerGroup, type Judgement, parseEvent, watchTopic } from "@slipway/contracts";
import type { Subscription } from "@slipway/host";
import type { DeploymentId, Instant } from "@slipway/kernel";
import type { Fact } from "./domain/input.ts";
import { rollBackFailed } from "./rollback.ts";
import type { Service } from "./service.ts";

const group: ConsumerGroup = "deployment-orchestrator";

/** What the rollback-controller saw and did, as facts of the deployment it watches. */
export function subscriptions(service: Service): readonly Subscription[] {
  return [
    {
      group,
      topics: [watchTopic.name],
      handler: async (event) => {
        const read = parseEvent(watchTopic, event);
        if (read === undefined || (read.type !== "watch.judged" && read.type !== "watch.failed")) return;
        const { deployment_id, judgement, epochs } = read.data;
        // An old FAIL that comes again says nothing of what was decided, and perhaps verified, since.
        if (read.type === "watch.failed" && (await inboxHas(service.db, group, event.id))) return;
        const overtaken = read.type === "watch.failed" && (await isOvertaken(service, deployment_id, epochs));
        if (read.type === "watch.failed" && !overtaken) await goBackFromVerified(service, deployment_id, judgement);
        await service.db.transaction().execute(async (tx) => {
          if (!(await inboxOnce(tx, group, event.id))) return;
          const fact = (now: Instant): Fact =>
            read.type === "watch.failed"
              ? { type: "WatchFailed", judgement, epochs, overtaken, now }
              : { type: "Judged", judgement, epochs, now };
          await service.durable.send(service.machine, deployment_id, fact, tx);
        });
        void service.views.forget(deployment_id);
      },
    },
  ];
}

/** A verified deployment has ended: its way back is another one. Asked for once, however often the event comes. */
async function goBackFromVerified(service: Service, id: DeploymentId, judgement: Judgement): Promise<void> {
  const row = await service.durable.read(service.machine, id);
  if (row?.state.phase === "verified") await rollBackFailed(service, row.state, judgement);
}

/** The watch of an older grant cannot act: whoever holds a newer epoch judges the same traffic with its own watch. */
async function isOvertaken(
  service: Service,
  id: DeploymentId,
  epochs: Readonly<Record<string, number>>,
): Promise<boolean> {
  const row = await service.durable.read(service.machine, id);
  if (row === undefined) return true;
  const { service: name, environment, regions } = row.state.plan;
  const holders = await service.locks.holders(regions.map((region) => ({ service: name, environment, region })));
  return holders.some((holder) => holder.epoch > (epochs[holder.target.region] ?? 0));
}
