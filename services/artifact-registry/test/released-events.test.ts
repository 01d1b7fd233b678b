import { type Bus, postgresBus } from "@slipway/bus";
import { deploymentTopic, getArtifact } from "@slipway/contracts";
import type { Digest } from "@slipway/kernel";
import { silentLogger } from "@slipway/sql";
import { putScene, releasedEvents, type Scene, scenesOf, until } from "@slipway/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startRegistry, type TestRegistry } from "./start-registry.ts";

const released = releasedEvents([deploymentTopic.name]);
const [scene] = await scenesOf(new URL("released", import.meta.url).pathname, "artifact");
const digest = `sha256:${"1".repeat(64)}` as Digest;
/** They change nothing about what a deployment uses; found bad after it was verified, its version stays in use until another one serves. */
const passing = [
  ...["step_started", "gate", "held", "approval_requested", "approved", "resumed"],
  ...["mesh_behind", "mesh_followed", "region_away", "region_back", "found_bad"],
];

type Rows = { pin: { digest: string; deployment: string; phase: string; at: string } };

let registry: TestRegistry;
let bus: Bus;
beforeAll(async () => {
  if (scene === undefined) throw new Error("no artifact is kept");
  // Of the digest that the events speak of.
  const put = JSON.parse(JSON.stringify(scene).replaceAll(scene.id, digest)) as Scene;
  registry = await startRegistry({}, { before: ({ adminUrl }) => putScene(adminUrl, "registry", put) });
  bus = postgresBus({ url: registry.database.url("bus"), log: silentLogger });
});
afterAll(async () => {
  await bus?.close();
  await registry?.close();
});

const phaseOf = async (deployment: string) => {
  const db = registry.database.db<Rows>("registry");
  const [row] = await db.selectFrom("pin").select("phase").where("deployment", "=", deployment).execute();
  return row?.phase;
};

test.each(released.map(({ version, event }, i) => [version, event.type, event, i] as const))(
  "what %s told with %s is noted with the artifact",
  async (_, type, event, i) => {
    const { deployment_id: id } = event.data as { deployment_id: string };
    const before = await phaseOf(id);
    const marker = `D-${1_000 + i}`;
    const accepted = released.find((one) => one.event.type === "deployment.accepted")?.event;
    if (accepted === undefined) throw new Error("no deployment was accepted");
    const data = { ...(accepted.data as object), deployment_id: marker };

    // What stands behind it in the same order is handled once it is.
    await bus.publish(deploymentTopic.name, [event, { ...accepted, id: marker, subject: event.subject, data }]);
    await until(async () => (await phaseOf(marker)) === "accepted", { what: "the event to be handled" });

    const name = type.slice("deployment.".length);
    expect(await phaseOf(id)).toBe(passing.includes(name) ? before : name);
    const artifact = await registry.as("viewer").call(getArtifact, { params: { digest } });
    const bad = ["deployment.rolled_back", "deployment.found_bad"];
    const isBad = released.findIndex((one) => bad.includes(one.event.type)) <= i;
    expect(artifact.bad_in).toEqual(isBad ? ["prod"] : []);
  },
);
