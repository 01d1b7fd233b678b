import { inboxOnce } from "@slipway/bus";
import { buildTopic, type ConsumerGroup, parseEvent } from "@slipway/contracts";
import type { Subscription } from "@slipway/host";
import type { EnvironmentName } from "@slipway/kernel";
import { newPush } from "../domain/push.ts";
import type { Service } from "../service.ts";
import { findService } from "../store.ts";
import type { PushMachine } from "./deploy-push.ts";

const group: ConsumerGroup = "deployment-orchestrator-pushes";
/** What git calls the branch that a repository is about. */
const mainBranches = ["refs/heads/main", "refs/heads/master"];

/** A build of the main branch of a service that deploys its builds by itself becomes a push, in the transaction that notes the event. */
export function pushSubscription(service: Service, machine: PushMachine): Subscription {
  return {
    group,
    topics: [buildTopic.name],
    handler: async (event) => {
      const read = parseEvent(buildTopic, event);
      if (read?.type !== "build.succeeded" || !mainBranches.includes(read.data.ref ?? "")) return;
      const { build_id, service: name, git_sha: gitSha, digest } = read.data;
      const found = await findService(service.db, name);
      if (found === undefined || found.deploys_to === null) return;
      const environment = found.deploys_to as EnvironmentName;
      const about = { service: name, gitSha, digest, environment, by: found.owner, since: service.clock.now() };
      const { state, commands } = newPush(about);
      await service.db.transaction().execute(async (tx) => {
        if (await inboxOnce(tx, group, event.id)) await service.durable.create(tx, machine, build_id, state, commands);
      });
    },
  };
}
