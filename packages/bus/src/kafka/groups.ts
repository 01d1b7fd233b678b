import type { Kafka } from "kafkajs";
import { openFetchCluster } from "./fetcher.ts";
import { isCoordinatorMissing, isSettling } from "./trouble.ts";

const settlesWithinMs = 10_000;
const askAgainMs = 200;

/**
 * Why the user may not be a member of these groups, and of which: the broker's own error; undefined: it may. Nothing is left on the brokers. The library
 * asks every broker for a group's coordinator and keeps none of their answers, so that it takes a refusal for a coordinator that is not there; and
 * only a member's request shows the right to be one, so a heartbeat is sent of a member that no group has.
 */
export async function groupRefusal(
  kafka: Kafka,
  groups: readonly string[],
): Promise<{ readonly group: string; readonly error: unknown } | undefined> {
  const cluster = openFetchCluster(kafka);
  try {
    await cluster.connect();
    // Which brokers there are is known by this alone.
    await cluster.refreshMetadata();
    for (const group of groups) {
      const error = await refusalOf(cluster, group);
      if (error !== undefined) return { group, error };
    }
    return undefined;
  } finally {
    await cluster.disconnect().catch(() => undefined);
  }
}

/** What a member met that could not join, in the broker's own words. */
export async function joiningRefusal(error: unknown, kafka: Kafka, group: string): Promise<unknown> {
  if (!isCoordinatorMissing(error)) return error;
  const refused = await groupRefusal(kafka, [group]).catch(() => undefined);
  return refused?.error ?? error;
}

async function refusalOf(cluster: ReturnType<typeof openFetchCluster>, groupId: string): Promise<unknown> {
  const notAfter = performance.now() + settlesWithinMs;
  for (;;) {
    try {
      const anyBroker = await cluster.findControllerBroker();
      const { coordinator } = await anyBroker.findGroupCoordinator({ groupId, coordinatorType: 0 });
      const broker = await cluster.findBroker({ nodeId: String(coordinator.nodeId) });
      await broker.heartbeat({ groupId, groupGenerationId: -1, memberId: "" });
      return undefined;
    } catch (error) {
      if (isNoMember(error)) return undefined;
      if (!isSettling(error) || performance.now() > notAfter) return error;
      await new Promise((resolve) => setTimeout(resolve, askAgainMs));
    }
  }
}

/** It was let in, and told that it is none of the group's. */
function isNoMember(error: unknown): boolean {
  const type = error instanceof Error && "type" in error ? error.type : undefined;
  return type === "UNKNOWN_MEMBER_ID" || type === "ILLEGAL_GENERATION" || type === "INVALID_GROUP_ID";
}
