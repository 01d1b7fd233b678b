import { globSync } from "node:fs";
import { ownerOf } from "@slipway/client";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import { knownVariables, read, readYaml, root, servicesOfTree, variablesIn } from "./tree.ts";

const chart = "deploy/helm/slipway";
const templates = globSync(`${chart}/templates/*`, { cwd: root }).map((path) => ({ path, text: read(path) }));
const schema = z.fromJSONSchema(JSON.parse(read(`${chart}/values.schema.json`)));
const values = () => readYaml(`${chart}/values.yaml`) as Record<string, Record<string, Record<string, unknown>>>;
const facts = z
  .record(z.string(), z.looseObject({ schema: z.string(), paths: z.array(z.string()) }))
  .parse(
    parse(/define "slipway.facts" -}}\n([\s\S]*?){{- end }}/.exec(read(`${chart}/templates/_services.tpl`))?.[1] ?? ""),
  );

test("values.yaml is what values.schema.json allows", () => {
  expect(schema.safeParse(values()).error).toBeUndefined();
});

test.each([
  ["a key that nobody reads", (all: ReturnType<typeof values>) => ({ ...all, replicaCount: 3 })],
  ["an address with a path", (all) => ({ ...all, publicUrl: "https://slipway.example.com/slipway" })],
  ["a time without a unit", (all) => ({ ...all, minimumBake: "10" })],
  ["a digest that is none", (all) => ({ ...all, image: { repository: "x", digest: "latest" } })],
] satisfies [string, (all: ReturnType<typeof values>) => unknown][])("values.schema.json refuses %s", (_, change) => {
  expect(schema.safeParse(change(values())).success).toBe(false);
});

test("every template begins by completing values that may be an older release's", () => {
  for (const { path, text } of templates.filter(({ path }) => !path.includes("/_")))
    expect(text.split("\n", 1)[0], path).toBe('{{- include "slipway.values" . }}');
});

test("every variable in the templates and values is one that a service reads", () => {
  const known = knownVariables();
  const texts = [...templates, { path: "values.yaml", text: read(`${chart}/values.yaml`) }];
  // Made of the services' names.
  const named = (name: string) => known.has(name) || name === "SLIPWAY_SERVICE_URL";
  const unknown = texts.flatMap(({ path, text }) =>
    path.endsWith("NOTES.txt") ? [] : variablesIn(text).flatMap((name) => (named(name) ? [] : [`${path}: ${name}`])),
  );

  expect(unknown).toEqual([]);
  expect(variablesIn(templates.map(({ text }) => text).join("\n")).length).toBeGreaterThan(10);
});

test("the chart knows the six services, the schema of each, and which paths are its own", () => {
  expect(new Map(Object.entries(facts).map(([name, fact]) => [name, { schema: fact.schema }]))).toEqual(
    servicesOfTree(),
  );
  expect(Object.keys(values().services ?? {}).sort()).toEqual([...servicesOfTree().keys()].sort());
  // The descriptions are those of the orchestrator's process.
  for (const [name, { paths }] of Object.entries(facts))
    expect(paths.filter((path) => !["/docs", "/openapi.json"].includes(path) && ownerOf(path) !== name)).toEqual([]);
});
