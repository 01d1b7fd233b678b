import { metricsProblem } from "@slipway/metrics";
import { realPart, until } from "@slipway/testkit";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { type PrometheusStage, scrapedMeshes, stagePrometheus } from "./support/prometheus-stage.ts";

const part = realPart("prometheus");

/** A canary whose region is read from a real Prometheus behind a proxy. */
describe.skipIf(part === undefined)("over a bad network to Prometheus a canary", () => {
  let meshes: Awaited<ReturnType<typeof scrapedMeshes>>;
  let stage: PrometheusStage;
  let cutting: NodeJS.Timeout | undefined;
  beforeAll(async () => {
    meshes = await scrapedMeshes(part!, 7);
  });
  beforeEach(async () => {
    stage = await stagePrometheus(await meshes.next());
  });
  afterEach(async () => {
    vi.useRealTimers();
    clearInterval(cutting);
    await stage?.stop();
  });
  afterAll(() => meshes?.stop());

  test("is judged where answers come late", async () => {
    const { network, watcher, seen } = stage;
    network.delay(300);
    stage.flow(600);

    await stage.isRead();

    await until(() => watcher().judgement?.verdict === "PASS", { what: "a PASS" });
    expect(seen()).toMatchObject({ canary_requests: 600, canary_errors: 0, baseline_requests: 11_400 });
    expect(stage.failures).toEqual([]);
  });

  test.each([
    ["answers come too late", () => stage.network.delay(1_500), /does not answer/],
    ["nothing comes back", () => [stage.network.swallow(true), stage.network.strand()], /does not answer/],
    [
      "connections are cut all the time",
      () => (cutting = setInterval(() => stage.network.cut(), 1)),
      /broke the connection off/,
    ],
  ] as const)(
    "is held where %s, which has its reason, and judged by all of it once that is over",
    async (_, begin, reason) => {
      const { network, place, watcher, seen } = stage;
      stage.flow(200);
      await stage.isRead();
      begin();
      // A look that was under way is answered or fails.
      await until(() => stage.failures.length >= 1, { what: "a look to fail" });
      const last = watcher().lastLookAt;

      stage.flow(400, 200);
      await until(() => stage.failures.length >= 5, { what: "some looks" });
      for (const failure of stage.failures.slice(1)) expect(failure).toMatch(reason);
      // One question may get through between two cuts.
      await until(
        async () => reason.test((await metricsProblem(`prometheus:http://127.0.0.1:${network.port}`)) ?? ""),
        {
          what: "the reason",
        },
      );
      expect(watcher().view()).toMatchObject({ last_look_at: last, state: "watching", judgement: { verdict: "NONE" } });
      expect(seen()).toMatchObject({ canary_requests: 200, canary_errors: 0 });
      expect(place.region("a")).toMatchObject({ lowered: 0, fence: { gate: "open" } });

      clearInterval(cutting);
      network.delay(0);
      network.swallow(false);
      network.cut();
      await until(() => place.region("a").fence.gate === "shut", { what: "the shut fence" });
      expect(watcher().judgement).toMatchObject({
        verdict: "FAIL",
        counts: { canary_requests: 600, canary_errors: 200 },
      });
    },
  );

  test.each([
    ["ahead", 30_000],
    ["behind", -30_000],
  ])("is judged by Prometheus's own clock: that of the controller is half a minute %s", async (_, ms) => {
    const { place, watcher, seen, told } = stage;
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + ms, shouldAdvanceTime: true });
    stage.flow(600);
    await stage.isRead();

    await until(() => watcher().judgement?.verdict === "PASS", { what: "a PASS" });
    expect(seen()).toMatchObject({ canary_requests: 600, canary_errors: 0, baseline_requests: 11_400 });
    stage.flow(100, 60);
    await until(() => place.region("a").fence.gate === "shut", { what: "the shut fence" });

    expect(watcher().judgement).toMatchObject({ verdict: "FAIL", counts: { canary_errors: 60 } });
    expect(stage.failures).toEqual([]);
    expect(await told()).not.toContain("watch.metrics_missing");
  });

  test("loses one look where what was kept alive has gone dead, and no request", async () => {
    const { network, watcher, seen } = stage;
    stage.flow(200);
    await stage.isRead();
    network.strand();
    stage.flow(400);

    await stage.isRead();

    expect(stage.failures.length).toBeLessThanOrEqual(2);
    expect(seen()).toMatchObject({ canary_requests: 600, canary_errors: 0, baseline_requests: 11_400 });
    await until(() => watcher().judgement?.verdict === "PASS", { what: "a PASS" });
  });
});
