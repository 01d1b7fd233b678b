import { watchTopic } from "@slipway/contracts";
import { metricShapes, prometheusMetrics } from "@slipway/metrics";
import { realPart, startPrometheus, until } from "@slipway/testkit";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { armed } from "../src/domain/watch.ts";
import { openPlace, type Place, startController } from "./support/controller.ts";
import { type MeshPage, startMeshPage } from "./support/mesh-page.ts";
import { baseline, canary, id, sampleSpec } from "./support/sample.ts";

const part = realPart("prometheus");

/** A canary whose region is read from a real Prometheus, which is away for a while. */
describe.skipIf(part === undefined)("while Prometheus is away a canary", () => {
  let page: MeshPage;
  let prometheus: Awaited<ReturnType<typeof startPrometheus>>;
  let place: Place;
  let controller: Awaited<ReturnType<typeof startController>>;

  beforeEach(async () => {
    const spec = sampleSpec({ baselines: { a: baseline }, epochs: { a: 2 } });
    page = await startMeshPage(spec);
    page.count(canary, 100);
    page.count(baseline, 1_900);
    prometheus = await startPrometheus(part!, page);
    const source = prometheusMetrics({ url: prometheus.url, shape: metricShapes.istio });
    place = await openPlace();
    controller = await startController(place, undefined, { metrics: () => source, lookEveryMs: 200 });
    const first = armed(id, spec);
    await controller.durable.create(undefined, controller.machine, id, first.state, first.commands);
    await controller.keeper.take(id);
    await controller.watchers.arm(id, spec);
    await until(() => watcher().lastLookAt, { what: "Prometheus to have scraped" });
  });
  afterEach(async () => {
    await controller?.stop();
    await place?.close();
    await prometheus?.stop();
    await page?.stop();
  });

  const watcher = () => controller.watchers.get(id)!;
  const seen = () => watcher().looking.judge.total;
  /** Of the time since counting began: what was counted before it belongs to nobody's canary. */
  const countedOf = (version: string) => page.counted(version).requests - (version === canary ? 100 : 1_900);

  async function told(): Promise<readonly string[]> {
    return (await place.bus.read(watchTopic.name, 0, 100)).events.map(({ type }) => type);
  }

  async function flow(requests: number, errors = 0): Promise<void> {
    page.count(canary, requests, errors);
    page.count(baseline, 19 * requests);
  }

  const isRead = () =>
    until(() => seen().canary_requests === countedOf(canary), { what: "all to be counted", timeoutMs: 40_000 });

  test("gets no verdict and is not taken back; that nobody can judge it is told once, and then nothing was missed or counted twice", async () => {
    await flow(200);
    await isRead();
    expect(watcher().judgement?.verdict).toBe("NONE");
    const last = watcher().lastLookAt;
    await prometheus.kill();

    await flow(400);
    await until(async () => (await told()).includes("watch.metrics_missing"), { what: "the news", timeoutMs: 60_000 });
    expect(watcher().judgement?.verdict).toBe("NONE");
    expect(seen().canary_requests).toBe(200);
    expect(watcher().view()).toMatchObject({ last_look_at: last, state: "watching" });
    expect(place.region("a")).toMatchObject({ lowered: 0, fence: { gate: "open" } });

    await prometheus.start();
    await isRead();
    await until(() => watcher().judgement?.verdict === "PASS", { what: "a PASS" });
    expect(seen()).toMatchObject({ canary_requests: 600, canary_errors: 0, baseline_requests: 11_400 });
    await until(async () => (await told()).filter((type) => type === "watch.judged").length >= 2, {
      what: "the PASS told",
    });
    expect((await told()).filter((type) => type === "watch.metrics_missing")).toHaveLength(1);
  });

  test("that turns bad is taken back as soon as it can be seen", async () => {
    await prometheus.kill("SIGSTOP");
    await flow(400, 200);
    const before = watcher().lastLookAt;
    await until(() => watcher().busy, { what: "a look that hangs" });
    expect(watcher()).toMatchObject({ state: "watching", lastLookAt: before });

    await prometheus.kill("SIGCONT");

    await until(() => place.region("a").fence.gate === "shut", { what: "the shut fence", timeoutMs: 40_000 });
    expect(watcher().judgement).toMatchObject({ verdict: "FAIL", counts: { canary_errors: 200 } });
  });
});
