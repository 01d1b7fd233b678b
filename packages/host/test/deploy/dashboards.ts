import { globSync } from "node:fs";
import { basename } from "node:path";
import { z } from "zod";
import { read, root } from "./tree.ts";

/** What these tests look at of a dashboard, as Grafana keeps it. */
const Panel = z.looseObject({
  id: z.number(),
  type: z.enum(["timeseries", "stat"]),
  title: z.string().min(1),
  description: z.string().min(1),
  gridPos: z.strictObject({ x: z.number(), y: z.number(), w: z.number(), h: z.number() }),
  fieldConfig: z.looseObject({
    defaults: z.looseObject({
      unit: z.string().min(1),
      min: z.number().optional(),
      custom: z.looseObject({ thresholdsStyle: z.looseObject({ mode: z.string() }) }).optional(),
      thresholds: z.looseObject({ steps: z.array(z.looseObject({ value: z.number().nullable() })) }).optional(),
    }),
  }),
  targets: z
    .array(z.looseObject({ expr: z.string().min(1), legendFormat: z.string().min(1), refId: z.string() }))
    .min(1),
});
export type Panel = z.infer<typeof Panel>;
const Dashboard = z.looseObject({ uid: z.string(), title: z.string().min(1), panels: z.array(Panel).min(1) });

/** Those of deploy/grafana, by the names of their files. */
export function dashboards(): readonly { readonly name: string; readonly panels: readonly Panel[] }[] {
  return globSync("deploy/grafana/dashboards/*.json", { cwd: root })
    .sort()
    .map((path) => ({ name: basename(path, ".json"), panels: Dashboard.parse(JSON.parse(read(path))).panels }));
}

export type DescribedMetric = { readonly name: string; readonly kind: string; readonly labels: readonly string[] };

/** Slipway's own metrics, as the guide's table has them. */
export function describedMetrics(): readonly DescribedMetric[] {
  const rows = read("docs/guides/operating.md").matchAll(/^\| `(slipway_\w+)` +\| (\w+) +\|([^|]*)\|/gm);
  return [...rows].map(([, name = "", kind = "", labels = ""]) => ({
    ...{ name, kind },
    labels: [...labels.matchAll(/`(\w+)`/g)].map(([, label]) => label as string),
  }));
}
