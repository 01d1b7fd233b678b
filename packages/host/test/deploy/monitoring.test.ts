import { globSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { type Example, startNotes } from "../start-notes.ts";
import { read, readYaml, root } from "./tree.ts";

const Rules = z.object({
  groups: z.array(
    z.object({
      rules: z.array(
        z.looseObject({ alert: z.string(), expr: z.string(), annotations: z.record(z.string(), z.string()) }),
      ),
    }),
  ),
});
const Board = z.looseObject({
  panels: z.array(z.looseObject({ targets: z.array(z.looseObject({ expr: z.string() })) })),
});
const rules = Rules.parse(readYaml("deploy/prometheus/alerts.yml")).groups.flatMap((group) => group.rules);
const boards = globSync("deploy/grafana/dashboards/*.json", { cwd: root }).map((path) =>
  Board.parse(JSON.parse(read(path))),
);

let example: Example;
beforeAll(async () => {
  example = await startNotes();
});
afterAll(() => example.close());

test("dashboards and alerts ask for nothing that a running service does not say", async () => {
  // Its histogram has series once something was asked.
  await example.fetch("/api/v1/notes");
  const page = await (await fetch(`${example.host.url}/metrics`)).text();
  const said = new Set([...page.matchAll(/^(slipway_[a-z0-9_]+)/gm)].map(([, name]) => name));
  for (const [, name] of page.matchAll(/^# TYPE (slipway_[a-z0-9_]+) /gm)) said.add(name);
  const expressions = [
    ...rules.map(({ expr }) => expr),
    ...boards.flatMap(({ panels }) => panels.flatMap(({ targets }) => targets.map(({ expr }) => expr))),
  ];
  const asked = new Set(expressions.flatMap((expr) => expr.match(/slipway_[a-z0-9_]+/g) ?? []));

  expect(asked.size).toBeGreaterThan(10);
  expect([...asked].filter((name) => !said.has(name))).toEqual([]);
});

test("each alert leads to a section of the guide", () => {
  const guide = read("docs/guides/operating.md");
  const anchors = [...guide.matchAll(/^#+ (.+)$/gm)].map(([, title = ""]) =>
    title
      .toLowerCase()
      .replaceAll(/[^a-z0-9 -]/g, "")
      .replaceAll(" ", "-"),
  );

  for (const { alert, annotations } of rules) {
    const [path, anchor] = (annotations.runbook ?? "").split("#");
    expect([alert, path, anchors.includes(anchor ?? "")]).toEqual([alert, "docs/guides/operating.md", true]);
  }
});
