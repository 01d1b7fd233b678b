import { globSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { realPart } from "@slipway/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { renderChart } from "./helm.ts";
import { read, root } from "./tree.ts";

const part = realPart("helm");
const chart = join(root, "deploy/helm/slipway");
const ConfigMap = z.looseObject({
  metadata: z.looseObject({ labels: z.record(z.string(), z.string()) }),
  data: z.record(z.string(), z.string()),
});

describe.skipIf(part === undefined)("the chart's dashboards", () => {
  let home: string;
  beforeAll(() => {
    home = mkdtempSync(join(tmpdir(), "slipway-chart-"));
  });
  afterAll(() => rmSync(home, { recursive: true }));

  const rendered = async (...args: string[]) =>
    (await renderChart(part!, home, chart, ...args)).filter(({ metadata }) => metadata.name === "slipway-dashboards");

  test("are those of deploy/grafana, each as it is, under the label by which a sidecar finds them", async () => {
    const paths = globSync("deploy/grafana/dashboards/*.json", { cwd: root });
    const [one, ...others] = await rendered("--set", "dashboards.enabled=true");

    const { metadata, data } = ConfigMap.parse(one);
    expect(others).toEqual([]);
    expect(metadata.labels).toMatchObject({ grafana_dashboard: "1" });
    expect(paths.length).toBeGreaterThan(2);
    expect(data).toEqual(Object.fromEntries(paths.map((path) => [`slipway-${basename(path)}`, read(path)])));
  });

  test("are not there where nobody asked for them", async () => {
    expect(await rendered()).toEqual([]);
  });
});
