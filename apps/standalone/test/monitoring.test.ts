import { globSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { type Hosts, startHosts } from "./support/hosts.ts";

const root = resolve(import.meta.dirname, "../../..");
const read = (path: string): string => readFileSync(join(root, path), "utf8");

const Board = z.looseObject({
  panels: z.array(z.looseObject({ targets: z.array(z.looseObject({ expr: z.string() })) })),
});

let hosts: Hosts;
/** Every metric that one of the six services says, with its kind; without those that Node's client library has for every process. */
const said = new Map<string, string>();
const usuals = new Set<string>();
const usual = /^slipway_(process|nodejs)_/;
const samples: string[] = [];

beforeAll(async () => {
  hosts = await startHosts();
  for (const to of ["platform", "controller"] as const) {
    const page = await (await hosts.send("/metrics", { to })).text();
    for (const [, name = "", kind = ""] of page.matchAll(/^# TYPE (slipway_\w+) (\w+)$/gm)) {
      if (usual.test(name)) usuals.add(name);
      else said.set(name, kind);
    }
    samples.push(...page.split("\n").filter((line) => line.startsWith("slipway_")));
  }
});
afterAll(() => hosts?.close());

/** The series of a histogram have names of their own. */
const metricOf = (name: string): string => name.replace(/_(bucket|count|sum)$/, (end) => (said.has(name) ? end : ""));

test("dashboards and alerts ask for nothing that a running service does not say", () => {
  const boards = globSync("deploy/grafana/dashboards/*.json", { cwd: root }).map((path) =>
    Board.parse(JSON.parse(read(path))),
  );
  const expressions = [
    read("deploy/prometheus/alerts.yml"),
    ...boards.flatMap(({ panels }) => panels.flatMap(({ targets }) => targets.map(({ expr }) => expr))),
  ];
  const asked = new Set(expressions.flatMap((expr) => expr.match(/slipway_\w+/g) ?? []));

  expect(asked.size).toBeGreaterThan(20);
  expect([...asked].filter((name) => !said.has(metricOf(name)) && !usuals.has(name))).toEqual([]);
});

test("the guide has each metric of Slipway's own", () => {
  const guide = read("docs/guides/operating.md");

  expect(said.size).toBeGreaterThan(20);
  expect([...said.keys()].filter((name) => !guide.includes(`\`${name}\``))).toEqual([]);
});

test("what has not happened yet is there with 0, so that its first time is seen", () => {
  expect(samples).toEqual(
    expect.arrayContaining([
      'slipway_deployment_events_total{environment="prod",type="rolled_back"} 0',
      'slipway_deployments{environment="prod",phase="restoring"} 0',
      'slipway_builds{phase="queued"} 0',
      'slipway_build_events_total{type="failed"} 0',
      'slipway_watch_failures_total{environment="prod"} 0',
      "slipway_watches_unkept 0",
    ]),
  );
});

test("names and kinds are Prometheus' own: counters end in _total, and nothing else does", () => {
  const wrong = [...said].filter(([name, kind]) => (kind === "counter") !== name.endsWith("_total"));

  expect(wrong).toEqual([]);
});
