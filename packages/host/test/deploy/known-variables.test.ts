import { callees, platformServices } from "@slipway/client";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { knownVariables } from "../../src/known-variables.ts";
import { knownVariables as inSources, read, servicesOfTree } from "./tree.ts";

test("no variable that a service reads is taken for a misspelt one", () => {
  const known = knownVariables();

  expect([...inSources()].filter((name) => !known.includes(name))).toEqual([]);
});

test("which services each one calls is what the chart's network policies let through", () => {
  const facts = /define "slipway\.facts" -}}\n([\s\S]*?){{- end }}/.exec(
    read("deploy/helm/slipway/templates/_services.tpl"),
  )?.[1];
  const calls = Object.entries(parse(facts ?? "") as Record<string, { calls: string[] }>).map(([name, { calls }]) => [
    ...[name, calls],
  ]);

  expect(Object.fromEntries(calls)).toEqual(callees);
  expect([...platformServices].sort()).toEqual([...servicesOfTree().keys()].sort());
});
