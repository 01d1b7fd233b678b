import { deploymentTopic } from "@slipway/contracts";
import type { DeploymentId } from "@slipway/kernel";
import { handTwice, releasedEvents } from "@slipway/testkit";
import { afterEach, beforeEach, expect, test } from "vitest";
import { armed, type Watch } from "../src/domain/watch.ts";
import { subscriptions } from "../src/subscriptions.ts";
import { openPlace, type Place, startController } from "./support/controller.ts";
import { sampleSpec } from "./support/sample.ts";

const released = releasedEvents([deploymentTopic.name]);
const ending = ["rolled_back", "failed", "cancelled", "superseded", "verified"];
/** They say nothing of whether it is to be watched. */
const passing = [
  "accepted",
  "queued",
  "granted",
  "opened",
  "step_started",
  "gate",
  "held",
  "approval_requested",
  "approved",
  "resumed",
  "restoring",
  "mesh_behind",
  "mesh_followed",
  "region_away",
  "region_back",
  "succeeded",
  "found_bad",
];

let place: Place;
let controller: Awaited<ReturnType<typeof startController>>;
beforeEach(async () => {
  place = await openPlace();
  controller = await startController(place);
});
afterEach(async () => {
  await controller?.stop();
  await place?.close();
});

async function arm(id: DeploymentId): Promise<void> {
  const spec = sampleSpec({ mode: "live", step: 2, weight_percent: 100 });
  const first = armed(id, spec);
  await controller.durable.create(undefined, controller.machine, id, first.state, first.commands);
  await controller.keeper.take(id);
  await controller.watchers.arm(id, spec);
}

const stateOf = async (id: string): Promise<Watch | undefined> =>
  (await controller.durable.read(controller.machine, id))?.state;

test.each(released.map(({ version, event }) => [version, event.type, event] as const))(
  "what %s told with %s ends the watches that it ends, and no other",
  async (_, type, event) => {
    const [subscription, ...rest] = subscriptions(controller.service);
    if (subscription === undefined) throw new Error("nothing is subscribed");
    expect([subscription.topics, rest]).toEqual([[deploymentTopic.name], []]);
    const name = type.slice("deployment.".length);
    if (!ending.includes(name) && !passing.includes(name)) throw new Error(`nothing is expected of ${type}`);
    const id = event.subject as DeploymentId;
    const before = "D-0" as DeploymentId;
    // That of the version before it: where this one was never watched, its number says which came later.
    await arm(name === "succeeded" ? before : id);

    await handTwice(subscription, event);

    if (name === "succeeded")
      expect(await stateOf(before)).toMatchObject({ phase: "ended", outcome: `replaced by ${id}` });
    else if (ending.includes(name)) expect(await stateOf(id)).toMatchObject({ phase: "ended", outcome: name });
    else expect(await stateOf(id)).toMatchObject({ phase: "watching" });
    expect(controller.watchers.all()).toHaveLength(passing.includes(name) && name !== "succeeded" ? 1 : 0);
  },
);
