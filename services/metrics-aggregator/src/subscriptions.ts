import {
  buildTopic,
  type CloudEvent,
  type ConsumerGroup,
  deploymentTopic,
  parseEvent,
  watchTopic,
} from "@slipway/contracts";
import type { Subscription } from "@slipway/host";
import { factsOfDeployment, factsOfWatch } from "./domain/facts.ts";
import { addCommit, addFacts, type MetricsDb, type MetricsTx } from "./store.ts";

const group: ConsumerGroup = "metrics-aggregator";

export function subscriptions(db: MetricsDb): readonly Subscription[] {
  const topics = [buildTopic.name, deploymentTopic.name, watchTopic.name];
  const takeAll = (events: readonly CloudEvent[]) =>
    db.transaction().execute(async (tx) => {
      // In whatever order they are added, the rows are the same: so everybody locks them in the same one.
      for (const event of events.toSorted((a, b) => (a.subject < b.subject ? -1 : 1))) await take(tx, event);
    });
  return [{ group, topics, handler: (event) => takeAll([event]), batch: takeAll }];
}

async function take(tx: MetricsTx, event: CloudEvent): Promise<void> {
  const build = parseEvent(buildTopic, event);
  if (build?.type === "build.queued") {
    const { service, git_sha, committed_at } = build.data;
    await addCommit(tx, service, git_sha, committed_at);
  }
  const deployment = parseEvent(deploymentTopic, event);
  if (deployment !== undefined) await addFacts(tx, factsOfDeployment(deployment, event.time));
  const watch = parseEvent(watchTopic, event);
  // A look is told every second and adds nothing that its watch's last events do not say.
  if (watch !== undefined && watch.type !== "watch.judged") await addFacts(tx, factsOfWatch(watch));
}
