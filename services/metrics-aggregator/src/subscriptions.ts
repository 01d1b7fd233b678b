import { buildTopic, type CloudEvent, deploymentTopic, parseEvent, watchTopic } from "@slipway/contracts";
import type { Subscription } from "@slipway/host";
import { factsOfDeployment, factsOfWatch } from "./domain/facts.ts";
import { addCommit, addFacts, type MetricsDb } from "./store.ts";

export function subscriptions(db: MetricsDb): readonly Subscription[] {
  const topics = [buildTopic.name, deploymentTopic.name, watchTopic.name];
  return [{ group: "metrics-aggregator", topics, handler: (event) => take(db, event) }];
}

async function take(db: MetricsDb, event: CloudEvent): Promise<void> {
  const build = parseEvent(buildTopic, event);
  if (build?.type === "build.queued") {
    const { service, git_sha, committed_at } = build.data;
    await addCommit(db, service, git_sha, committed_at);
  }
  const deployment = parseEvent(deploymentTopic, event);
  if (deployment !== undefined) await addFacts(db, factsOfDeployment(deployment, event.time));
  const watch = parseEvent(watchTopic, event);
  // A look is told every second and adds nothing that its watch's last events do not say.
  if (watch !== undefined && watch.type !== "watch.judged") await addFacts(db, factsOfWatch(watch));
}
