import { inboxOnce } from "@slipway/bus";
import {
  artifactTopic,
  buildTopic,
  type CloudEvent,
  type ConsumerGroup,
  deploymentTopic,
  parseEvent,
  watchTopic,
} from "@slipway/contracts";
import type { Subscription } from "@slipway/host";
import { type Clock, type Instant, msBetween } from "@slipway/kernel";
import { aboutArtifact, aboutBuild } from "./domain/about-builds.ts";
import { aboutDeployment, aboutWatch, type World } from "./domain/about-deployments.ts";
import type { RegionAccess } from "./domain/kubectl.ts";
import type { Notice } from "./domain/notice.ts";
import { type Settling, settledByArtifact, settledByDeployment } from "./domain/settling.ts";
import {
  addNotification,
  learnAccepted,
  learnBaselines,
  learnJudgement,
  type NotificationDb,
  readKnown,
  settle,
} from "./store.ts";

export type Intake = {
  readonly db: NotificationDb;
  readonly clock: Clock;
  readonly channel: string;
  readonly regions: readonly RegionAccess[];
  /** Address of the inbox page. */
  readonly page: () => string;
  readonly startedAt: Instant;
  /** Called after a notification was added. */
  added(): void;
};

const group: ConsumerGroup = "notification-service";

/** How long a watch's event waits for its deployment's own, which comes through another topic. */
const patienceMs = 10_000;

export function subscriptions(intake: Intake): readonly Subscription[] {
  const topics = [buildTopic.name, artifactTopic.name, deploymentTopic.name, watchTopic.name];
  return [{ group, topics, handler: (event) => take(intake, event) }];
}

async function take(intake: Intake, event: CloudEvent): Promise<void> {
  const settling = settlingOf(event);
  if (settling !== undefined) {
    await intake.db.transaction().execute(async (tx) => {
      // One that comes again late decides nothing that was asked since.
      if (await inboxOnce(tx, group, `${event.source}/${event.id}`)) await settle(tx, settling);
    });
  }
  const notice = await noticeOf(intake, event);
  if (notice === undefined) return;
  const key = `${event.source}/${event.id}`;
  if (await addNotification(intake.db, key, intake.channel, notice)) intake.added();
}

function settlingOf(event: CloudEvent): Settling | undefined {
  const artifact = parseEvent(artifactTopic, event);
  if (artifact !== undefined) return settledByArtifact(artifact);
  const deployment = parseEvent(deploymentTopic, event);
  return deployment === undefined ? undefined : settledByDeployment(deployment);
}

async function noticeOf(intake: Intake, event: CloudEvent): Promise<Notice | undefined> {
  const prefix = event.type.split(".")[0];
  switch (prefix) {
    case "build": {
      const read = parseEvent(buildTopic, event);
      return read === undefined ? undefined : aboutBuild(read);
    }
    case "artifact": {
      const read = parseEvent(artifactTopic, event);
      return read === undefined ? undefined : aboutArtifact(read, intake.page());
    }
    case "deployment":
      return deploymentNotice(intake, event);
    case "watch":
      return watchNotice(intake, event);
    default:
      return undefined;
  }
}

async function deploymentNotice(intake: Intake, event: CloudEvent): Promise<Notice | undefined> {
  const read = parseEvent(deploymentTopic, event);
  if (read === undefined) return undefined;
  if (read.type === "deployment.accepted") {
    await learnAccepted(intake.db, read.data.deployment_id, read.data.baselines, read.data.requested_by);
  }
  if (read.type === "deployment.opened") {
    const { deployment_id, baselines } = read.data;
    await intake.db.transaction().execute(async (tx) => {
      // One that comes again late must not take the place of a newer one.
      if (await inboxOnce(tx, group, event.id)) await learnBaselines(tx, deployment_id, baselines);
    });
  }
  return aboutDeployment(read, await worldOf(intake, read.data.deployment_id, event));
}

async function watchNotice(intake: Intake, event: CloudEvent): Promise<Notice | undefined> {
  const read = parseEvent(watchTopic, event);
  if (read === undefined) return undefined;
  const world = await worldOf(intake, read.data.deployment_id, event);
  const notice = aboutWatch(read, world);
  if (read.type !== "watch.failed") return notice;
  await learnJudgement(intake.db, read.data.deployment_id, read.data.judgement);
  const waited = Math.min(...[event.time, intake.startedAt].map((from) => msBetween(from, intake.clock.now())));
  if (world.known === undefined && waited < patienceMs) {
    throw new Error(`${read.data.deployment_id} is not known yet: its baselines are missing`);
  }
  return notice;
}

async function worldOf({ db, regions, page }: Intake, deployment: string, event: CloudEvent): Promise<World> {
  return { known: await readKnown(db, deployment), regions, at: event.time, page: page() };
}
