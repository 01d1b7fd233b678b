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
