import { expect, test } from "vitest";
import { dashboards, describedMetrics, type Panel } from "./dashboards.ts";

const all = dashboards();
const panels = all.flatMap(({ name, panels: own }) => own.map((panel) => [`${name}: ${panel.title}`, panel] as const));

test("panels of a dashboard have titles and numbers of their own, stand in its 24 columns, and none covers another", () => {
  expect(all.length).toBeGreaterThan(2);
  for (const { name, panels: own } of all) {
    expect([name, new Set(own.map(({ title }) => title)).size]).toEqual([name, own.length]);
    expect([name, new Set(own.map(({ id }) => id)).size]).toEqual([name, own.length]);
    for (const [at, panel] of own.entries()) {
      expect(panel.gridPos.x + panel.gridPos.w, `${name}: ${panel.title}`).toBeLessThanOrEqual(24);
      const covers = own.slice(at + 1).filter((other) => overlap(panel, other));
      expect(covers.map(({ title }) => [panel.title, title])).toEqual([]);
    }
  }
});

test.each(panels)("%s has a scale that begins at 0, and a legend that names what tells its lines apart", (_, panel) => {
  const { defaults } = panel.fieldConfig;

  if (panel.type === "timeseries") expect(defaults.min).toBe(0);
  for (const { expr, legendFormat } of panel.targets) {
    const kept = /^(?:topk\(\d+, )?\(?(?:histogram_quantile\([\d.]+, )?(?:max|min|sum) by \(([^)]*)\)/.exec(expr)?.[1];
    const labels = (kept ?? "").split(", ").filter((label) => label !== "" && label !== "le");
    expect([expr, labels.filter((label) => !legendFormat.includes(`{{${label}}}`))]).toEqual([expr, []]);
  }
});

test("a threshold of a graph is drawn", () => {
  const withThreshold = panels.filter(([, { fieldConfig }]) => fieldConfig.defaults.thresholds !== undefined);
  const hidden = withThreshold.filter(
    ([, { type, fieldConfig }]) =>
      type === "timeseries" && fieldConfig.defaults.custom?.thresholdsStyle.mode !== "line",
  );

  expect(withThreshold.length).toBeGreaterThan(5);
  expect(hidden.map(([name]) => name)).toEqual([]);
});

test("every metric of the guide stands on a dashboard", () => {
  const queries = panels.flatMap(([, { targets }]) => targets.map(({ expr }) => expr)).join("\n");
  const absent = describedMetrics().filter(({ name }) => !new RegExp(`\\b${name}(_bucket|_count)?\\b`).test(queries));

  expect(describedMetrics().length).toBeGreaterThan(20);
  expect(absent).toEqual([]);
});

function overlap({ gridPos: a }: Panel, { gridPos: b }: Panel): boolean {
  return a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;
}
