import { regionTopic } from "@slipway/contracts";
import { until } from "@slipway/testkit";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Orchestrator, startOrchestrator, versionOf } from "./support/orchestrator.ts";
import { oldVersion } from "./support/sample.ts";
import type { ScriptedCluster } from "./support/scripted-cluster.ts";

const version = versionOf(1);
const longBake = [
  { weightPercent: 5, bakeMs: 600_000 },
  { weightPercent: 100, bakeMs: 0 },
];

let orchestrator: Orchestrator;
let a: ScriptedCluster;
beforeEach(async () => {
  orchestrator = await startOrchestrator();
  a = orchestrator.cluster("a");
});
afterEach(async () => {
  await orchestrator.close();
});

const shares = (percent: number) => ({ [oldVersion]: 100 - percent, [version]: percent });

async function baking(): Promise<string> {
  const id = await orchestrator.deploy({ steps: longBake });
  await orchestrator.reaches(id, "baking");
  return id;
}

async function told(): Promise<readonly string[]> {
  const { events } = await orchestrator.bus.read(regionTopic.name, 0, 100);
  return events.map((event) => (event.data as { what: string }).what);
}

test("a weight raised by hand is back within moments, the bake goes on, and it is published and audited once", async () => {
  const id = await baking();

  a.byHand({ weights: shares(60) });

  await until(() => a.weights[version] === 5, { what: "the repair" });
  expect(a.done.at(-1)).toBe(`repair ${version} 5`);
  const state = await orchestrator.state(id);
  expect(state).toMatchObject({ phase: "baking" });
  await until(async () => (await told()).length > 0, { what: "the event" });
  expect(await told()).toEqual(["a: the weight was raised to 60% by somebody with kubectl: repaired to 5%"]);
  expect(await orchestrator.audited("region.drift")).toMatchObject([{ subject: id, detail: { region: "a" } }]);

  a.byHand({ weights: shares(60) });
  await until(() => a.weights[version] === 5, { what: "the second repair" });
  await until(async () => (await told()).length === 2, { what: "the second event" });
});

test("a weight lowered by hand holds the deployment, is left as it is, and a person's resume goes on over it", async () => {
  const id = await baking();

  a.byHand({ weights: shares(1) });

  const held = await orchestrator.reaches(id, "held");
  expect(held).toMatchObject({ why: "a: the weight was lowered to 1%", by: "somebody with kubectl" });
  expect(a.weights[version]).toBe(1);
  await orchestrator.send(id, (now) => ({ type: "Resume", by: "ada", now }));
  await orchestrator.reaches(id, "baking");
  expect(a.weights[version]).toBe(5);
});

test("a service that is paused is held with its reason, lowering stays possible, and it goes on when that is taken away", async () => {
  const id = await baking();

  a.byHand({ paused: "database maintenance" });
  expect(await orchestrator.reaches(id, "held")).toMatchObject({ why: "a: slipway.dev/paused: database maintenance" });
  const writes = a.done.length;
  a.byHand({ weights: shares(50) });
  await until(() => a.weights[version] === 5, { what: "the repair" });
  expect(a.done.slice(writes)).toEqual([`repair ${version} 5`]);

  a.byHand({ paused: null });

  await orchestrator.reaches(id, "baking");
});

test("a VirtualService that was deleted takes the canary back everywhere and shuts the gate anew", async () => {
  const id = await baking();

  a.byHand({ deleted: true, weights: {} });

  await orchestrator.reaches(id, "rolled_back");
  for (const { fence, weights } of orchestrator.clusters) {
    expect(fence).toMatchObject({ gate: "shut" });
    expect(weights[version] ?? 0).toBe(0);
  }
});

test("what was changed while no orchestrator ran is seen by the next one", async () => {
  const id = await baking();
  await orchestrator.stopObserving();
  a.byHand({ weights: shares(60) });
  await orchestrator.replaceWorker();
  expect(a.weights[version]).toBe(60);

  orchestrator.observe();

  await until(() => a.weights[version] === 5, { what: "the repair" });
  expect((await orchestrator.state(id)).phase).toBe("baking");
});

test("a canary that was taken back and is given requests again by hand is lowered again", async () => {
  const id = await baking();
  await orchestrator.send(id, (now) => ({ type: "Rollback", by: "ada", reason: "it smells", now }));
  await orchestrator.reaches(id, "rolled_back");
  await orchestrator.lockIsFree();

  a.byHand({ weights: shares(20) });

  await until(() => (a.weights[version] ?? 0) === 0, { what: "the lowering" });
  await until(async () => (await told()).length > 0, { what: "the event" });
  expect(await told()).toEqual([expect.stringContaining("which was taken back, was raised to 20%")]);
});

test("at 100% a lowering by hand is shown and told, and stays", async () => {
  const id = await orchestrator.deploy();
  await orchestrator.reaches(id, "watching");

  a.byHand({ weights: shares(50) });

  const region = async () => (await orchestrator.state(id)).regions.a;
  await until(async () => (await region())?.weightPercent === 50, { what: "the finding" });
  expect((await region())?.reason).toMatch(/lowered to 50% by somebody/);
  expect(a.weights[version]).toBe(50);

  a.byHand({ weights: shares(70) });
  await until(async () => (await region())?.weightPercent === 70, { what: "the next finding" });
  expect((await region())?.reason).toMatch(/lowered to 70% by somebody/);
  a.byHand({ weights: shares(100) });
  await until(async () => (await region())?.reason === null, { what: "all as it should be" });
});

test("a FAIL whose event is late is taken from the watch when its shut gate is seen, with its judgement", async () => {
  const id = await baking();
  orchestrator.watch.failSilently(id);
  const { fence } = a;

  a.byHand({ fence: fence === null ? null : { ...fence, gate: "shut", seq: fence.seq + 1 }, weights: shares(0) });

  const ended = await orchestrator.reaches(id, "rolled_back");
  expect(ended.gates.at(-1)).toMatchObject({ verdict: "FAIL" });
});
