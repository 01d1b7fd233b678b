import { watchTopic } from "@slipway/contracts";
import { type MetricsSource, metricShapes, prometheusMetrics } from "@slipway/metrics";
import {
  type FaultProxy,
  type RealPart,
  type RealPrometheus,
  startFaultProxy,
  startPrometheus,
  until,
} from "@slipway/testkit";
import { armed } from "../../src/domain/watch.ts";
import { openPlace, type Place, startController } from "./controller.ts";
import { type MeshPage, startMeshPage } from "./mesh-page.ts";
import { baseline, canary, id, sampleSpec } from "./sample.ts";

export type PrometheusStage = Awaited<ReturnType<typeof stagePrometheus>>;
type ScrapedMesh = { readonly page: MeshPage; readonly prometheus: RealPrometheus; stop(): Promise<void> };

const spec = sampleSpec({ baselines: { a: baseline }, epochs: { a: 2 } });

/** One for each of so many stages: a Prometheus first scrapes five seconds after its start, for which they wait together and not one after the other. */
export async function scrapedMeshes(part: RealPart, stages: number) {
  const ready: ScrapedMesh[] = [];
  for (let n = 0; n < stages; n += 1) ready.push(await scrapedMesh(part));
  return {
    next: async (): Promise<ScrapedMesh> => ready.shift() ?? (await scrapedMesh(part)),
    stop: async () => void (await Promise.all(ready.map((mesh) => mesh.stop()))),
  };
}

/** What was counted of the canary before it is watched. */
async function scrapedMesh(part: RealPart): Promise<ScrapedMesh> {
  const page = await startMeshPage(spec);
  page.count(canary, 100);
  page.count(baseline, 1_900);
  const prometheus = await startPrometheus(part, page);
  return {
    ...{ page, prometheus },
    async stop() {
      await prometheus.stop();
      await page.stop();
    },
  };
}

/** A canary whose region is read from a real Prometheus over a network that can be made a bad one. */
export async function stagePrometheus({ page, prometheus, stop }: ScrapedMesh) {
  const network: FaultProxy = await startFaultProxy(prometheus.port);
  const failures: string[] = [];
  const source = prometheusMetrics({ url: `http://127.0.0.1:${network.port}`, shape: metricShapes.istio });
  const place: Place = await openPlace();
  const metrics = () => noting(source, failures);
  const controller = await startController(place, undefined, { metrics, lookEveryMs: 200 });
  const first = armed(id, spec);
  await controller.durable.create(undefined, controller.machine, id, first.state, first.commands);
  await controller.keeper.take(id);
  await controller.watchers.arm(id, spec);
  const watcher = () => {
    const found = controller.watchers.get(id);
    if (found === undefined) throw new Error(`nobody watches ${id}`);
    return found;
  };
  await until(() => watcher().lastLookAt, { what: "Prometheus to have scraped" });
  failures.length = 0;
  const seen = () => watcher().looking.judge.total;
  return {
    ...{ page, prometheus, network, place, watcher, seen },
    /** Why readings failed, in order. */
    failures: failures as readonly string[],
    /** Types of the events told so far. */
    told: async () => (await place.bus.read(watchTopic.name, 0, 100)).events.map(({ type }) => type),
    /** Requests of the canary, and the baseline's beside them. */
    flow(requests: number, errors = 0): void {
      page.count(canary, requests, errors);
      page.count(baseline, 19 * requests);
    },
    /** Until all that was counted since the beginning was read: what was counted before it belongs to nobody's canary. */
    isRead: () =>
      until(() => seen().canary_requests === page.counted(canary).requests - 100, {
        ...{ what: "all to be counted" },
      }),
    async stop() {
      await controller.stop();
      await place.close();
      await network.stop();
      await stop();
    },
  };
}

function noting(source: MetricsSource, failures: string[]): MetricsSource {
  return {
    read: (request) =>
      source.read(request).catch((error: unknown) => {
        failures.push(String(error));
        throw error;
      }),
  };
}
