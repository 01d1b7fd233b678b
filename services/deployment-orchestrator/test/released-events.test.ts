import { buildTopic, type CloudEvent, watchTopic } from "@slipway/contracts";
import { createDurable } from "@slipway/durable";
import { type EnvironmentName, type ServiceName, systemClock } from "@slipway/kernel";
import { silentLogger } from "@slipway/sql";
import { handTwice, putScene, releasedEvents, type TestDatabase, testDatabase } from "@slipway/testkit";
import { afterEach, expect, test } from "vitest";
import type { Deployment } from "../src/domain/deployment.ts";
import { pushDurable } from "../src/push/deploy-push.ts";
import { pushSubscription } from "../src/push/subscription.ts";
import type { Service } from "../src/service.ts";
import { type Tables, upsertService } from "../src/store.ts";
import { subscriptions } from "../src/subscriptions.ts";
import { startOrchestrator } from "./support/orchestrator.ts";
import { deploymentScenes, deploymentsOf, regionsAfter } from "./support/released.ts";

const watched = releasedEvents([watchTopic.name]);
const built = releasedEvents([buildTopic.name]);

const running: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of running.splice(0).reverse()) await each.close();
});

/** A bake of ten minutes, of which nothing is to be armed: no other watch speaks of it here. */
const scene = deploymentScenes.find(
  ({ phase, commands }) => phase === "baking" && commands.includes("TellDrift") && !commands.includes("ArmWatch"),
);

async function openDatabase(): Promise<TestDatabase> {
  const database = await testDatabase(["deployment", "bus"]);
  running.push(database);
  return database;
}

/** A look counts for the step that it was gathered at: for this one. */
function ofStep(event: CloudEvent, { since, id }: { since: string; id: string }): CloudEvent {
  const data = event.data as { judgement?: object };
  const judgement = data.judgement === undefined ? {} : { judgement: { ...data.judgement, window_from: since } };
  return { ...event, subject: id, data: { ...data, deployment_id: id, ...judgement } };
}

/** What becomes of a deployment that bakes. */
const becomes: Readonly<Record<string, ((state: Deployment, event: CloudEvent) => void) | null>> = {
  "watch.judged": (state, { data }) => {
    const { judgement } = data as { judgement: { sentence: string; verdict: string; counts: object } };
    const { sentence, verdict, counts } = judgement;
    expect(state).toMatchObject({ phase: "baking", latest: { sentence, verdict, counts } });
  },
  "watch.failed": (state, { data }) => {
    const { judgement } = data as { judgement: { sentence: string } };
    expect(state).toMatchObject({ phase: "restoring", outcome: "rolled_back", reason: judgement.sentence });
  },
  // What the controller does for itself and others.
  ...{ "watch.armed": null, "watch.shut_confirmed": null, "watch.ended": null, "watch.metrics_missing": null },
};

test.each(watched.map(({ version, event }) => [version, event.type, event] as const))(
  "what %s told with %s is heeded by a deployment that bakes",
  async (_, type, told) => {
    if (scene === undefined) throw new Error("no such scene is kept");
    const check = becomes[type];
    if (check === undefined) throw new Error(`nothing is expected of ${type}`);
    const database = await openDatabase();
    await putScene(database.adminUrl, "deployment", scene);
    const orchestrator = await startOrchestrator({ database, clusters: regionsAfter(deploymentsOf(scene)) });
    running.push(orchestrator);
    const before = await orchestrator.state(scene.id);
    if (before.phase !== "baking") throw new Error(`it does not bake: ${before.phase}`);
    const event = ofStep(told, { since: before.since, id: scene.id });
    const [subscription, ...rest] = subscriptions(orchestrator.service);
    if (subscription === undefined) throw new Error("nothing is subscribed");
    expect([subscription.topics, rest]).toEqual([[watchTopic.name], []]);

    await handTwice(subscription, event);

    const state = await orchestrator.state(scene.id);
    if (check === null) expect(state).toMatchObject({ phase: "baking", latest: before.latest });
    else check(state, event);
    if (type !== "watch.failed") return;
    await orchestrator.reaches(scene.id, "rolled_back");
    for (const { fence, violations } of orchestrator.clusters) {
      expect(fence).toMatchObject({ gate: "shut" });
      expect(violations).toEqual([]);
    }
  },
);

const about = { owner: "ada", deploysTo: "dev" as EnvironmentName };

test.each(built.map(({ version, event }) => [version, event.type, event] as const))(
  "what %s told with %s becomes a push where a build of the main branch has succeeded",
  async (_, type, event) => {
    const database = await openDatabase();
    const db = database.db<Tables>("deployment");
    const { service: name, build_id, digest, git_sha } = event.data as Record<string, string>;
    await upsertService(db, name as ServiceName, about);
    const machine = pushDurable(() => service);
    const durable = createDurable({ db, url: database.url("deployment"), machines: [machine], log: silentLogger });
    const service = { db, durable, clock: systemClock } as unknown as Service;
    const subscription = pushSubscription(service, machine);
    expect(subscription.topics).toEqual([buildTopic.name]);

    await handTwice(subscription, event);

    const pushes = (await durable.list(machine)).map(({ id, state }) => ({ id, ...state }));
    const pushed = {
      id: build_id,
      phase: "pending",
      service: name,
      digest,
      gitSha: git_sha,
      environment: "dev",
      by: "ada",
    };
    expect(pushes).toMatchObject(type === "build.succeeded" ? [pushed] : []);
  },
);
