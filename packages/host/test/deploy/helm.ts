import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import type { RealPart } from "@slipway/testkit";
import { parseAllDocuments } from "yaml";
import { z } from "zod";
import { root } from "./tree.ts";

/** One object that the chart makes. */
export const Rendered = z.looseObject({
  kind: z.string(),
  metadata: z.looseObject({
    name: z.string(),
    namespace: z.string().optional(),
    annotations: z.record(z.string(), z.string()).optional(),
  }),
});
export type Rendered = z.infer<typeof Rendered>;

/** Runs Helm with a home of its own. */
export async function helm(part: RealPart, home: string, ...args: readonly string[]): Promise<string> {
  const env = { PATH: process.env.PATH ?? "", HOME: home };
  return (await promisify(execFile)(part.program, [...args], { env, maxBuffer: 2 ** 26 })).stdout;
}

/** What the chart makes in the namespace `slipway`. */
export async function renderChart(part: RealPart, home: string, chart: string, ...args: readonly string[]) {
  const text = await helm(part, home, "template", "slipway", chart, "--namespace", "slipway", ...args);
  // 1.1, as Kubernetes reads it: 0440 is octal.
  return parseAllDocuments(text, { version: "1.1" }).flatMap((document) => {
    const value: unknown = document.toJS();
    return value === null ? [] : [Rendered.parse(value)];
  });
}

/** The same of this checkout's chart with values as `--set` takes them; one that is JSON is an object. */
export async function renderWith(part: RealPart, home: string, values: readonly string[]) {
  const set = values.flatMap((value) => [value.includes("={") ? "--set-json" : "--set", value]);
  return renderChart(part, home, join(root, "deploy/helm/slipway"), ...set);
}
