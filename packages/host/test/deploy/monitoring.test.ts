import { expect, test } from "vitest";
import { z } from "zod";
import { read, readYaml } from "./tree.ts";

const Rules = z.object({
  groups: z.array(
    z.object({
      rules: z.array(z.looseObject({ alert: z.string(), annotations: z.record(z.string(), z.string()) })),
    }),
  ),
});
const rules = Rules.parse(readYaml("deploy/prometheus/alerts.yml")).groups.flatMap((group) => group.rules);
const guide = read("docs/guides/operating.md");

test("each alert leads to a section of the guide", () => {
  const anchors = [...guide.matchAll(/^#+ (.+)$/gm)].map(([, title = ""]) =>
    title
      .toLowerCase()
      .replaceAll(/[^a-z0-9 -]/g, "")
      .replaceAll(" ", "-"),
  );

  for (const { alert, annotations } of rules) {
    const [path, anchor] = (annotations.runbook_url ?? "").split("#");
    expect([alert, path, anchors.includes(anchor ?? "")]).toEqual([alert, "docs/guides/operating.md", true]);
  }
});

test("the guide names each alert", () => {
  expect(rules.map(({ alert }) => alert).filter((alert) => !guide.includes(`\`${alert}\``))).toEqual([]);
});

test("a Prometheus without the operator finds the chart's pods by their labels, and says of which service each series is", () => {
  const Relabel = z.object({ source_labels: z.array(z.string()), target_label: z.string().optional() });
  const Job = z.looseObject({ honor_labels: z.literal(true), relabel_configs: z.array(Relabel) });
  const [job] = z
    .object({ scrape_configs: z.array(Job) })
    .parse(readYaml("deploy/prometheus/kubernetes.yml")).scrape_configs;
  const chart = read("deploy/helm/slipway/templates/_helpers.tpl");
  const pods = read("deploy/helm/slipway/templates/_pod.tpl");
  const labels = [...chart.matchAll(/^app\.kubernetes\.io\/[a-z-]+/gm)].map(([name]) => name.replaceAll(/[./-]/g, "_"));
  const known = new Set(labels.map((name) => `__meta_kubernetes_pod_label_${name}`));
  known.add("__meta_kubernetes_pod_container_port_name");

  expect(pods).toContain("{ name: http, containerPort: 7400 }");
  expect(job?.relabel_configs.flatMap((one) => one.source_labels).filter((name) => !known.has(name))).toEqual([]);
  expect(job?.relabel_configs.map((one) => one.target_label)).toContain("component");
});
