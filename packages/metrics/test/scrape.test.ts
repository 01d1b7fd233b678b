import { countedService, metricsContract } from "@slipway/testkit";
import { afterEach, describe, expect, it } from "vitest";
import { MetricsUnreadable, scrapeMetrics } from "../src/index.ts";
import { type CountingMesh, startCountingMesh } from "./support/counting-mesh.ts";

let mesh: CountingMesh | undefined;
afterEach(async () => {
  await mesh?.stop();
  mesh = undefined;
});

describe("a mesh proxy, read by itself", () => {
  metricsContract(async () => {
    mesh = await startCountingMesh();
    return { ...mesh, source: scrapeMetrics({ url: mesh.adminUrl }) };
  });

  it("says the weight that is served, and of each host what it counted", async () => {
    mesh = await startCountingMesh();
    await mesh.ask("/");

    const { servedWeight } = await scrapeMetrics({ url: mesh.adminUrl }).read(countedService);

    expect(servedWeight).toEqual({ [countedService.versions[0] ?? ""]: 100 });
  });

  it("says that it cannot read where something else answers", async () => {
    mesh = await startCountingMesh();
    const { read } = scrapeMetrics({ url: `${mesh.adminUrl}/other` });

    await expect(read(countedService)).rejects.toThrow(MetricsUnreadable);
    await expect(read(countedService)).rejects.toThrow(/answers 404 in place of its metrics: correct metrics_url/);
  });
});
