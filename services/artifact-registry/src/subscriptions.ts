import { inboxOnce } from "@slipway/bus";
import { type ConsumerGroup, deploymentTopic, type EventOf, parseEvent } from "@slipway/contracts";
import { appendAudit } from "@slipway/durable";
import type { Subscription } from "@slipway/host";
import type { Instant } from "@slipway/kernel";
import type { Tx } from "@slipway/sql";
import { chainOf } from "./promote.ts";
import type { Service } from "./service.ts";
import { addBad, closePromotion, lockArtifact, promotionsOf, upsertPin } from "./store/artifacts.ts";
import type { Tables } from "./store/tables.ts";

const group: ConsumerGroup = "artifact-registry";
const actor = "artifact-registry";

type DeploymentEvent = EventOf<typeof deploymentTopic>;
type FoundBad = Extract<DeploymentEvent, { type: "deployment.rolled_back" | "deployment.found_bad" }>;

/** Steps within a deployment change nothing about what it uses. */
const passing = new Set<DeploymentEvent["type"]>([
  "deployment.step_started",
  "deployment.gate",
  "deployment.held",
  "deployment.approval_requested",
  "deployment.approved",
  "deployment.resumed",
  "deployment.mesh_behind",
  "deployment.mesh_followed",
  "deployment.region_away",
  "deployment.region_back",
]);

/** What deployments do with artifacts: which digests they hold on to, and which ones turned out bad. */
export function subscriptions(service: Service): readonly Subscription[] {
  return [
    {
      group,
      topics: [deploymentTopic.name],
      handler: async (event) => {
        const read = parseEvent(deploymentTopic, event);
        if (read === undefined || passing.has(read.type)) return;
        await service.db.transaction().execute(async (tx) => {
          if (await inboxOnce(tx, group, event.id)) await take(service, tx, read, event.time);
        });
      },
    },
  ];
}

async function take(service: Service, tx: Tx<Tables>, event: DeploymentEvent, at: Instant): Promise<void> {
  // A version that was verified, or has nothing to return to, stays in use until another one has taken its place.
  if (event.type === "deployment.found_bad") return markBad(service, tx, event, at);
  const { digest, deployment_id: deployment, environment, service: name } = event.data;
  const phase = event.type.slice("deployment.".length);
  await upsertPin(tx, { digest, deployment, service: name, environment, phase, at });
  if (event.type === "deployment.rolled_back") await markBad(service, tx, event, at);
}

/** A digest that was found bad is barred in that environment, and promotions that would carry it further end here. */
async function markBad(service: Service, tx: Tx<Tables>, event: FoundBad, at: Instant): Promise<void> {
  const { digest, deployment_id: deployment, environment, reason } = event.data;
  const artifact = await lockArtifact(tx, digest);
  if (artifact === undefined) return;
  if (!(await addBad(tx, { digest, environment, deployment, reason, at }))) return;
  const input = (now: Instant) => ({ type: "MarkBad" as const, environment, reason, now });
  await service.durable.send(service.artifacts, digest, input, tx);
  await appendAudit(tx, {
    actor,
    action: "artifact.marked_bad",
    subject: digest,
    detail: { service: artifact.service, environment, deployment, reason },
    at,
  });
  await rejectOpen(service, tx, event, at);
}

async function rejectOpen(service: Service, tx: Tx<Tables>, event: FoundBad, at: Instant): Promise<void> {
  const { digest, environment, reason } = event.data;
  const order = service.environments.map((entry) => entry.name);
  for (const promotion of await promotionsOf(tx, digest)) {
    if (!promotion.open || order.indexOf(promotion.environment) < order.indexOf(environment)) continue;
    const input = (now: Instant) => ({ type: "MarkedBad" as const, environment, reason, now });
    const answer = await service.durable.send(service.promotions, promotion.id, input, tx);
    await closePromotion(tx, promotion.id);
    if (answer.kind !== "applied") continue;
    const detail = { ...chainOf(answer.state), reason };
    await appendAudit(tx, { actor, action: "promotion.rejected", subject: promotion.id, detail, at });
  }
}
