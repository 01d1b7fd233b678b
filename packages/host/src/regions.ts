import { dirname, resolve } from "node:path";
import { RegionNameSchema } from "@slipway/contracts";
import type { RegionName } from "@slipway/kernel";
import { parse } from "yaml";
import { z } from "zod";
import { refuseScheme } from "./schemes.ts";

/** One region of the regions file: a Kubernetes cluster with its own mesh and metrics source. */
export type RegionEntry = {
  readonly name: RegionName;
  /** Path of its kubeconfig, absolute. */
  readonly kubeconfig: string;
  readonly context: string;
  readonly mesh_url: string;
  /** `scrape:http://…`, later `prometheus+http://…` and `datadog:`. */
  readonly metrics_url: string | undefined;
};

const Entry = z.strictObject({
  name: RegionNameSchema,
  kubeconfig: z.string().min(1),
  context: z.string().min(1),
  mesh_url: z.url({ protocol: /^https?$/ }),
  metrics_url: z
    .string()
    .superRefine((url, context) => {
      const refusal = refuseScheme("metrics_url", url);
      if (refusal !== undefined) context.addIssue({ code: "custom", message: refusal });
    })
    .optional(),
});

const Regions = z
  .array(Entry)
  .min(1, "a regions file names at least one region")
  .refine((entries) => new Set(entries.map((entry) => entry.name)).size === entries.length, "a region is named twice");

/**
 * Reads a regions file (JSON or YAML). Paths of kubeconfigs are relative to the file. Throws Error with every problem and its
 * place, e.g. `1.mesh_url: Invalid URL`.
 */
export function parseRegions(text: string, file: string): readonly RegionEntry[] {
  const parsed = Regions.safeParse(parse(text));
  if (!parsed.success) {
    const problems = parsed.error.issues.map(
      (issue) => `${issue.path.map(String).join(".") || "(top)"}: ${issue.message}`,
    );
    throw new Error(problems.join("; "));
  }
  return parsed.data.map((entry) => ({
    ...entry,
    kubeconfig: resolve(dirname(file), entry.kubeconfig),
    metrics_url: entry.metrics_url,
  }));
}
