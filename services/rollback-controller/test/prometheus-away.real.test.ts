import { realPart, until } from "@slipway/testkit";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type PrometheusStage, scrapedMeshes, stagePrometheus } from "./support/prometheus-stage.ts";

const part = realPart("prometheus");

/** A canary whose region is read from a real Prometheus, which is away for a while. */
describe.skipIf(part === undefined)("while Prometheus is away a canary", () => {
  let meshes: Awaited<ReturnType<typeof scrapedMeshes>>;
  let stage: PrometheusStage;
  beforeAll(async () => {
    meshes = await scrapedMeshes(part!, 2);
  });
  beforeEach(async () => {
    stage = await stagePrometheus(await meshes.next());
  });
  afterEach(() => stage?.stop());
  afterAll(() => meshes?.stop());

  test("gets no verdict and is not taken back; that nobody can judge it is told once, and then nothing was missed or counted twice", async () => {
    const { prometheus, place, watcher, seen, told } = stage;
    stage.flow(200);
    await stage.isRead();
    expect(watcher().judgement?.verdict).toBe("NONE");
    const last = watcher().lastLookAt;
    await prometheus.kill();

    stage.flow(400);
    await until(async () => (await told()).includes("watch.metrics_missing"), { what: "the news", timeoutMs: 60_000 });
    expect(watcher().judgement?.verdict).toBe("NONE");
    expect(seen().canary_requests).toBe(200);
    expect(watcher().view()).toMatchObject({ last_look_at: last, state: "watching" });
    expect(place.region("a")).toMatchObject({ lowered: 0, fence: { gate: "open" } });

    await prometheus.start();
    await stage.isRead();
    await until(() => watcher().judgement?.verdict === "PASS", { what: "a PASS" });
    expect(seen()).toMatchObject({ canary_requests: 600, canary_errors: 0, baseline_requests: 11_400 });
    await until(async () => (await told()).filter((type) => type === "watch.judged").length >= 2, {
      what: "the PASS told",
    });
    expect((await told()).filter((type) => type === "watch.metrics_missing")).toHaveLength(1);
  });

  test("that turns bad is taken back as soon as it can be seen", async () => {
    const { prometheus, place, watcher } = stage;
    await prometheus.kill("SIGSTOP");
    stage.flow(400, 200);
    const before = watcher().lastLookAt;
    await until(() => watcher().busy, { what: "a look that hangs" });
    expect(watcher()).toMatchObject({ state: "watching", lastLookAt: before });

    await prometheus.kill("SIGCONT");

    await until(() => place.region("a").fence.gate === "shut", { what: "the shut fence" });
    expect(watcher().judgement).toMatchObject({ verdict: "FAIL", counts: { canary_errors: 200 } });
  });
});
