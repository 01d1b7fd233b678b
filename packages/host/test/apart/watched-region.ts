import { writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { connect, type Fence, openRegions } from "@slipway/cluster";
import type { RegionName } from "@slipway/kernel";
import { startApiServer } from "@slipway/local-region";
import { silentLogger } from "@slipway/sql";
import { type StagedCanary, stageCanary } from "@slipway/testkit";

export const regionName = "us-east-1" as RegionName;

export type WatchedRegion = {
  /** For SLIPWAY_REGIONS. */
  readonly file: string;
  /** A service of this environment of which the canary has 5%, and requests all the time. */
  stage(environment: string): Promise<StagedCanary>;
  /** From now on the canary there fails most of its requests. */
  goBad(environment: string): void;
  fence(canary: StagedCanary): Promise<Fence | null>;
  stop(): Promise<void>;
};

/** The API of a local region, and the page of a mesh that counts requests as time passes, whoever reads it. */
export async function watchedRegion(folder: string): Promise<WatchedRegion> {
  const api = await startApiServer({ name: regionName, dir: join(folder, "api"), port: 0, log: silentLogger });
  const page = await startFlow();
  const access = { name: regionName, kubeconfig: api.kubeconfigPath, context: regionName };
  const file = join(folder, "watched-regions.json");
  const urls = { mesh_url: page.url, metrics_url: `scrape:${page.url}`, metrics_shape: "slipway" };
  await writeFile(file, JSON.stringify([{ ...access, ...urls }]));
  const regions = openRegions([access], silentLogger);
  const region = await regions.cluster(regionName);
  const connection = await connect({ ...access, region: regionName, timeoutMs: 5_000 });
  return {
    file,
    async stage(environment) {
      const staged = await stageCanary(environment, [
        {
          region,
          api: (method, path, body, contentType) =>
            connection.request(method as "GET" | "POST" | "PATCH" | "DELETE", path, {
              body,
              ...(contentType === undefined ? {} : { contentType }),
            }),
        },
      ]);
      page.flow(staged);
      return staged;
    },
    goBad: page.goBad,
    fence: async ({ target }) => (await region.readTraffic(target)).fence,
    async stop() {
      await connection.close();
      await regions.close();
      await page.stop();
      await api.stop();
    },
  };
}

const perSecond = { canary: 50, baseline: 950 };
const failing = 0.6;

type Flow = StagedCanary & { counted: { canary: number; errors: number; baseline: number }; bad: boolean };

async function startFlow() {
  const flows = new Map<string, Flow>();
  let countedAt = performance.now();
  const count = () => {
    const seconds = (performance.now() - countedAt) / 1_000;
    countedAt = performance.now();
    for (const { counted, bad } of flows.values()) {
      counted.canary += seconds * perSecond.canary;
      counted.baseline += seconds * perSecond.baseline;
      if (bad) counted.errors += seconds * perSecond.canary * failing;
    }
  };
  const server = createServer((_, answer) => {
    count();
    answer.end(`slipway_mesh_process_start_time_seconds 1\n${[...flows.values()].flatMap(linesOf).join("\n")}\n`);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    flow(staged: StagedCanary) {
      count();
      const counted = { canary: 0, errors: 0, baseline: 0 };
      flows.set(staged.target.environment, { ...staged, counted, bad: false });
    },
    goBad(environment: string) {
      count();
      const flow = flows.get(environment);
      if (flow !== undefined) flow.bad = true;
    },
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function linesOf({ target, canary, baseline, counted }: Flow): readonly string[] {
  const of = (version: string, more: string) =>
    `{reporter="destination",destination_service_name="${target.service}",destination_service_namespace="${target.environment}",destination_workload_namespace="${target.environment}",destination_workload="${version}",pod="${version}-1"${more}}`;
  const lines = (version: string, requests: number, errors: number) => [
    `istio_requests_total${of(version, ',response_code="200"')} ${Math.floor(requests) - Math.floor(errors)}`,
    `istio_requests_total${of(version, ',response_code="503"')} ${Math.floor(errors)}`,
    `istio_request_duration_milliseconds_bucket${of(version, ',le="5"')} ${Math.floor(requests)}`,
    `istio_request_duration_milliseconds_bucket${of(version, ',le="+Inf"')} ${Math.floor(requests)}`,
  ];
  return [...lines(canary, counted.canary, counted.errors), ...lines(baseline, counted.baseline, 0)];
}
