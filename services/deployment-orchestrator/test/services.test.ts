import type { EnvironmentName, ServiceName } from "@slipway/kernel";
import { afterAll, beforeAll, expect, test } from "vitest";
import { serviceView, serviceViews } from "../src/live.ts";
import { upsertService } from "../src/store.ts";
import { type Orchestrator, startOrchestrator, versionOf } from "./support/orchestrator.ts";

const orders = "orders" as ServiceName;
let orchestrator: Orchestrator;

beforeAll(async () => {
  orchestrator = await startOrchestrator();
});
afterAll(() => orchestrator.close());

test("a service says what serves where, since when and by which deployment, and what is under way", async () => {
  const first = await orchestrator.deploy({ verifyAfterMs: 200 });
  const verified = await orchestrator.reaches(first, "verified");
  const second = await orchestrator.deploy();
  await orchestrator.reaches(second, "baking");

  const view = await serviceView(orchestrator.service, orders);

  const serves = { version: versionOf(1), verified: true, deployment_id: first };
  expect(view).toMatchObject({ name: "orders", owner: "nobody yet", live: { prod: { a: serves, b: serves } } });
  const since = view?.live.prod?.a?.since ?? "";
  expect(verified.phase === "verified" && since < verified.at).toBe(true);
  expect(view?.under_way).toMatchObject([{ deployment_id: second, environment: "prod", version: versionOf(2) }]);
  await orchestrator.reaches(second, "watching");
  const now = await serviceView(orchestrator.service, orders);
  expect([now?.live.prod?.a?.deployment_id, now?.under_way]).toEqual([second, []]);
});

test("services that were registered and those that were deployed are one list, by name, a page at a time", async () => {
  for (const name of ["shop", "archive"] as ServiceName[]) {
    await upsertService(orchestrator.db, name, { owner: "ada", deploysTo: "dev" as EnvironmentName });
  }

  const first = await serviceViews(orchestrator.service, { limit: 2, offset: 0 });
  const rest = await serviceViews(orchestrator.service, { limit: 2, offset: 2 });

  expect([...first, ...rest].map(({ name, owner }) => `${name} ${owner}`)).toEqual([
    ...["archive ada", "orders nobody yet", "shop ada"],
  ]);
  expect(rest[0]).toMatchObject({ live: {}, under_way: [], deploys_to: "dev" });
});

test("a service that nobody registered, and whose deployments have all ended without one that serves, is known all the same", async () => {
  const parcels = "parcels" as ServiceName;
  const id = await orchestrator.deploy({ service: parcels });
  await orchestrator.send(id, (now) => ({ type: "Rollback", by: "ada", reason: "not this one", now }));
  await orchestrator.reaches(id, "cancelled", "rolled_back", "failed");

  expect(await serviceView(orchestrator.service, parcels)).toMatchObject({ name: "parcels", live: {}, under_way: [] });
});

test("a service that nobody registered or deployed is none", async () => {
  expect(await serviceView(orchestrator.service, "nothing" as ServiceName)).toBeUndefined();
});
