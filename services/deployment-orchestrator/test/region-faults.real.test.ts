import { deploymentTopic } from "@slipway/contracts";
import type { VersionName } from "@slipway/kernel";
import type { FaultyRequest } from "@slipway/local-region";
import { realPart, seededRandom, testDatabase, until } from "@slipway/testkit";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Plan } from "../src/domain/deployment.ts";
import { type Orchestrator, type Place, startOrchestrator, versionOf } from "./support/orchestrator.ts";
import { type RealCluster, startRealCluster } from "./support/real-cluster.ts";

const [etcd, kubernetes, crds] = [realPart("etcd"), realPart("kubernetes"), realPart("istio-crds")];
const parts = etcd && kubernetes && crds ? { etcd, kubernetes, crds } : undefined;

const [first, second] = [versionOf(1), versionOf(2)];
const quick = (weightPercent: number) => ({ weightPercent, bakeMs: 30 });
const longBake = [{ weightPercent: 5, bakeMs: 600_000 }, quick(100)];

/** The orchestrator's machine and effects on two real API servers, of which b fails in one way or another. */
describe.skipIf(parts === undefined)("a rollout in two real regions", () => {
  const clusters: RealCluster[] = [];
  let place: Place<RealCluster>;
  let orchestrator: Orchestrator<RealCluster>;
  let a: RealCluster;
  let b: RealCluster;
  let number = 0;
  /** Of both fences, before what is deployed under trouble. */
  let before: readonly number[];
  let target: { service: Plan["service"]; environment: Plan["environment"] };

  beforeAll(async () => {
    for (const name of ["a", "b"]) clusters.push(await startRealCluster(name, parts!));
    [a, b] = clusters as [RealCluster, RealCluster];
  });
  afterAll(async () => {
    for (const cluster of clusters) await cluster.stop();
  });

  /** Each test with a service of its own that has a first version. */
  beforeEach(async () => {
    number += 1;
    target = { service: "orders", environment: `env-${number}` } as typeof target;
    for (const cluster of clusters) cluster.see(target);
    place = { database: await testDatabase(["deployment", "bus"]), clusters };
    orchestrator = await startOrchestrator(place);
    const nothing = { a: null, b: null };
    const id = await deploy({ initial: true, steps: [quick(100)], baselines: nothing });
    await orchestrator.reaches(id, "watching");
    before = await seqs();
  });
  afterEach(async () => {
    b.faults.clear();
    // Only after a failure: the next test needs it.
    await b.traffic().catch(() => b.api.start());
    await orchestrator?.close();
    await place?.database.close();
  });

  const deploy = (change: Partial<Plan> = {}) =>
    orchestrator.deploy({ ...target, baselines: { a: first, b: first }, ...change });
  const seqs = () => Promise.all(clusters.map(async (cluster) => (await cluster.traffic()).fence?.seq ?? 0));

  /** So many writes of the routes were made in each region since. */
  async function expectWrites(count: number): Promise<void> {
    expect(await seqs()).toEqual(before.map((seq) => seq + count));
  }

  async function published(id: string): Promise<readonly string[]> {
    const { events } = await orchestrator.bus.read(deploymentTopic.name, 0, 500);
    return events.filter((event) => event.subject === id).map((event) => event.type.replace("deployment.", ""));
  }

  /** In both regions, by as many writes as there are steps, and told once. */
  async function expectRolledOut(id: string): Promise<void> {
    for (const cluster of clusters)
      expect(await cluster.traffic()).toMatchObject({ weights: { [second]: 100 }, liveVersion: second });
    // The gate, and each step's weight.
    await expectWrites(4);
    await until(async () => (await published(id)).at(-1) === "succeeded", { what: "the last event" });
    const told = (await published(id)).filter((type) => type !== "gate");
    expect(told).toEqual(["accepted", "granted", "opened", ...Array(3).fill("step_started"), "succeeded"]);
  }

  test("comes to its end though a fourth of what one is asked, and half of what it is to write, goes wrong", async () => {
    const random = seededRandom(1);
    const now = ({ method }: FaultyRequest) => random.next() < (method === "GET" ? 0.06 : 0.12);
    const writes = (request: FaultyRequest) => request.method !== "GET" && now(request);
    b.faults.add({ kind: "answer", code: 409 }, writes, Number.POSITIVE_INFINITY);
    for (const code of [429, 500, 503] as const)
      b.faults.add({ kind: "answer", code, retryAfterSeconds: 1 }, now, Number.POSITIVE_INFINITY);
    for (const when of ["before", "after"] as const)
      b.faults.add({ kind: "drop", when }, now, Number.POSITIVE_INFINITY);

    const id = await deploy();
    await orchestrator.reaches(id, "watching");

    b.faults.clear();
    await expectRolledOut(id);
  });

  test("comes to its end while watches are cut all the time, and what is changed by hand is found and undone", async () => {
    const cutting = setInterval(() => b.faults.closeWatches(), 300);
    try {
      const id = await deploy({ steps: longBake });
      await orchestrator.reaches(id, "baking");

      await raiseByHand(b, 60);
      await until(() => b.weights[second] === 5, { what: "the repair" });

      expect((await orchestrator.state(id)).phase).toBe("baking");
      await orchestrator.send(id, (now) => ({ type: "Promote", by: "ada", expectedStep: 0, now }));
      await orchestrator.reaches(id, "watching");
      for (const cluster of clusters) expect((await cluster.traffic()).liveVersion).toBe(second);
    } finally {
      clearInterval(cutting);
    }
  });

  test("waits for one whose API server is killed, says so, and goes on when it is back", async () => {
    await b.api.kill();
    const id = await deploy();
    await until(async () => (await reasonsOf(id, "b")).some((reason) => /region b: .*failed/.test(reason)), {
      what: "the reason",
    });
    expect(await orchestrator.reaches(id, "opening")).toMatchObject({ phase: "opening" });
    expect(a.weights[second] ?? 0).toBe(0);

    await b.api.start();
    await orchestrator.reaches(id, "watching");
    await expectRolledOut(id);
  });

  const troubles = [
    ["is killed", (cluster: RealCluster) => cluster.api.kill(), (cluster: RealCluster) => cluster.api.start()],
    [
      "hangs",
      (cluster: RealCluster) => cluster.api.kill("SIGSTOP"),
      (cluster: RealCluster) => cluster.api.kill("SIGCONT"),
    ],
    ["answers 500 to everything", fails, cleared],
  ] as const;

  test.each(troubles)(
    "that leads back from a verified version while one %s is done in the other meanwhile, and in this one once it is well",
    async (_, trouble, end) => {
      const bad = await deploy();
      await orchestrator.reaches(bad, "watching");
      await trouble(b);

      const rollsBack = bad as Plan["rollsBack"];
      const way = { strategy: "rollback" as const, version: first, rollsBack, steps: [quick(100)] };
      const id = await deploy({ ...way, baselines: { a: second, b: second } });
      await until(() => a.weights[first] === 100 && a.live === first, { what: "region a to be back" });
      const isSaid = async () => (await reasonsOf(id, "b")).some((reason) => /region b/.test(reason));
      await until(isSaid, { what: "the reason", timeoutMs: 60_000 });
      expect((await orchestrator.state(id)).phase).toBe("opening");

      await end(b);
      await orchestrator.reaches(id, "watching");
      for (const cluster of clusters)
        expect(await cluster.traffic()).toMatchObject({ weights: { [first]: 100 }, liveVersion: first });
    },
  );

  test.each(troubles)(
    "that is taken back while one %s is out of the other meanwhile, and of this one once it is well",
    async (_, trouble, end) => {
      const id = await deploy({ steps: longBake });
      await orchestrator.reaches(id, "baking");
      await trouble(b);

      await orchestrator.send(id, (now) => ({ type: "Rollback", by: "ada", reason: "it smells", now }));
      await until(() => a.weights[first] === 100, { what: "region a to be lowered" });
      const isSaid = async () => (await reasonsOf(id, "b")).some((reason) => /region b/.test(reason));
      await until(isSaid, { what: "the reason", timeoutMs: 60_000 });
      expect((await orchestrator.state(id)).phase).toBe("restoring");

      await end(b);
      await orchestrator.reaches(id, "rolled_back");
      for (const cluster of clusters)
        expect(await cluster.traffic()).toMatchObject({
          ...{ fence: { gate: "shut" }, weights: { [first]: 100 }, liveVersion: first },
        });
      // The gate, the weight, the way back, and the version's end.
      await expectWrites(4);
      await until(async () => (await published(id)).includes("rolled_back"), { what: "the last event" });
      const told = (await published(id)).filter((type) => /restoring|rolled_back/.test(type));
      expect(told).toEqual(["restoring", "rolled_back"]);
    },
  );

  async function fails({ faults }: RealCluster): Promise<void> {
    faults.add({ kind: "answer", code: 500 }, () => true, Number.POSITIVE_INFINITY);
    faults.closeWatches();
  }

  async function cleared({ faults }: RealCluster): Promise<void> {
    faults.clear();
  }

  async function reasonsOf(id: string, region: string): Promise<readonly string[]> {
    const pending = await orchestrator.pending(id);
    return pending.flatMap(({ command, lastReason }) =>
      "region" in command && command.region === region && lastReason !== null ? [lastReason] : [],
    );
  }

  /** As a person with kubectl does it. */
  async function raiseByHand({ api }: RealCluster, percent: number): Promise<void> {
    const path = `/apis/networking.istio.io/v1/namespaces/${target.environment}/virtualservices/${target.service}`;
    const destination = (host: VersionName, weight: number) => ({ destination: { host }, weight });
    const route = [destination(first, 100 - percent), destination(second, percent)];
    const spec = { http: [{ name: "slipway", route }] };
    await api.api("PATCH", path, { spec }, "application/merge-patch+json");
  }
});
