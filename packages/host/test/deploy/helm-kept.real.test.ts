import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { realPart } from "@slipway/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { type Rendered, renderWith } from "./helm.ts";
import { podOfChart } from "./pod.ts";
import { servicesOfTree } from "./tree.ts";

const part = realPart("helm");
const Deadline = z.object({ activeDeadlineSeconds: z.number(), backoffLimit: z.number() });

/** What nobody misses until a node is lost, a disk is full or a job hangs. */
describe.skipIf(part === undefined)("the chart keeps its pods and jobs", () => {
  let folder: string;
  let objects: readonly Rendered[];
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "slipway-kept-"));
    const tokens = ["regionTokens.enabled=true", "regionTokens.own=here"];
    objects = await renderWith(part!, folder, ["builds.executor=kubernetes", ...tokens]);
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const specsOf = (kind: string) => objects.filter((one) => one.kind === kind).map(({ spec }) => spec);

  test("apart: of each service over zones and nodes, told by its own labels", () => {
    for (const service of servicesOfTree().keys()) {
      const pod = podOfChart(objects, "Deployment", `slipway-${service}`);
      const { topologySpreadConstraints: apart, labels } = z
        .looseObject({
          topologySpreadConstraints: z.array(
            z.object({
              ...{ maxSkew: z.literal(1), topologyKey: z.string(), whenUnsatisfiable: z.literal("ScheduleAnyway") },
              labelSelector: z.object({ matchLabels: z.record(z.string(), z.string()) }),
            }),
          ),
          labels: z.record(z.string(), z.string()),
        })
        .parse(pod);

      expect(apart.map(({ topologyKey }) => topologyKey)).toEqual([
        ...["topology.kubernetes.io/zone", "kubernetes.io/hostname"],
      ]);
      for (const { labelSelector } of apart) {
        expect(labelSelector.matchLabels["app.kubernetes.io/component"]).toBe(service);
        expect(labels).toMatchObject(labelSelector.matchLabels);
      }
    }
  });

  test("within bounds: what they write to has a size, and their environment is the chart's alone", () => {
    for (const service of servicesOfTree().keys()) {
      const { volumes, enableServiceLinks } = podOfChart(objects, "Deployment", `slipway-${service}`);
      const sizes = volumes.flatMap(({ emptyDir }) => (emptyDir === undefined ? [] : [emptyDir.sizeLimit]));

      expect(enableServiceLinks, service).toBe(false);
      expect(sizes.length, service).toBeGreaterThan(0);
      for (const size of sizes) expect(size, service).toMatch(/^[0-9]+(Mi|Gi)$/);
    }
  });

  test("from growing at the least load: autoscalers act on most of what was asked for", () => {
    const scalers = specsOf("HorizontalPodAutoscaler");

    expect(scalers.length).toBe(2);
    for (const scaler of scalers)
      expect(scaler).toMatchObject({
        ...{ minReplicas: 2, maxReplicas: 4 },
        metrics: [{ resource: { name: "cpu", target: { type: "Utilization", averageUtilization: 70 } } }],
      });
  });

  test("from hanging and from each other: jobs end, with time enough, and one for tokens runs at a time", () => {
    const [cron] = specsOf("CronJob");
    const jobs = objects.filter(({ kind }) => kind === "Job").map((job) => [job.metadata.name, job.spec] as const);

    expect(cron).toMatchObject({ concurrencyPolicy: "Forbid", startingDeadlineSeconds: 300 });
    expect(jobs.length).toBe(2);
    for (const [name, spec] of jobs) {
      const { activeDeadlineSeconds } = Deadline.parse(spec);
      // Migrations take minutes; renewing half a minute for each call that is not answered.
      expect(activeDeadlineSeconds, name).toBe(name === "slipway-prepare" ? 900 : 300);
    }
  });

  test("from going with the chart: namespaces in which builds may be under way stay", () => {
    const namespaces = objects.filter(({ kind }) => kind === "Namespace");

    expect(namespaces.map(({ metadata }) => metadata.name)).toEqual(["slipway-builds"]);
    expect(namespaces[0]?.metadata.annotations).toEqual({ "helm.sh/resource-policy": "keep" });
  });
});
