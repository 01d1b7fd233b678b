import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import type { RegionAccount } from "@slipway/cluster";
import { placedText, RegionNameSchema, settingText } from "@slipway/contracts";
import { errorCodes, type RegionName, unreadableRemedy } from "@slipway/kernel";
import { MetricLabelSchema, type MetricShape, MetricShapeSchema, metricShapes } from "@slipway/metrics";
import { parse } from "yaml";
import { z } from "zod";
import { hiddenPassword } from "./hidden-password.ts";
import { refuseScheme } from "./schemes.ts";
import { sharedMetrics } from "./shared-metrics.ts";

/** One region of the regions file: a Kubernetes cluster with its own mesh and metrics source. */
export type RegionEntry = {
  readonly name: RegionName;
  /** Path of its kubeconfig, absolute. */
  readonly kubeconfig: string;
  readonly context: string;
  readonly mesh_url: string;
  /** `scrape:http://…` or `prometheus:http://…`. */
  readonly metrics_url: string | undefined;
  /** How the mesh's metrics are named in Prometheus, and the labels that all of the region's have there. Default: Istio's names. */
  readonly metrics_shape?: MetricShape | undefined;
  /** Path of a file with the bearer token that Prometheus wants, absolute. */
  readonly metrics_token_file?: string | undefined;
  /** Secret of each environment's namespace with which its nodes pull images. */
  readonly pull_secret?: string | undefined;
  /** The revision of Istio whose label the namespaces get that Slipway makes there. Default: `istio-injection=enabled`. */
  readonly istio_revision?: string | undefined;
  /** How the rollback-controller reaches it, under an account that may only lower. Default: as everybody does. */
  readonly rollback_controller?: { readonly kubeconfig: string; readonly context: string } | undefined;
};

const innerUrl = /^[a-z]+:https?:\/\/./;

const Entry = z.strictObject({
  name: RegionNameSchema,
  kubeconfig: z.string().min(1),
  context: z.string().min(1),
  mesh_url: z
    .url({ protocol: /^https?$/ })
    .refine(
      (url) => !URL.canParse(url) || new URL(url).password === "",
      "everybody is shown it: leave user and password out",
    ),
  metrics_url: z
    .string()
    .superRefine((url, context) => {
      const inner = innerUrl.test(url) && URL.canParse(url.slice(url.indexOf(":") + 1));
      const refusal =
        hiddenPassword("metrics_url", url) ??
        refuseScheme("metrics_url", url) ??
        (inner ? undefined : "after the scheme comes http:// or https://");
      if (refusal !== undefined) context.addIssue({ code: "custom", message: refusal });
    })
    .optional(),
  metrics_shape: z
    .union(
      [z.enum(["istio", "envoy", "slipway"]).transform((name) => metricShapes[name]), MetricShapeSchema],
      'must be "istio", "envoy" or "slipway", or a map that names the mesh\'s metrics',
    )
    .optional(),
  metrics_labels: z.record(MetricLabelSchema, z.string().min(1)).optional(),
  metrics_token_file: z.string().min(1).optional(),
  pull_secret: z
    .string()
    .regex(/^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/, "is no name of a Secret")
    .optional(),
  istio_revision: z
    .string()
    .regex(/^[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?$/, "is no revision of Istio")
    .optional(),
  rollback_controller: z
    .strictObject({ kubeconfig: z.string().min(1), context: z.string().min(1).optional() })
    .optional(),
});

const MeasuredEntry = Entry.superRefine(({ metrics_url: url, metrics_labels, metrics_token_file }, context) => {
  const refuse = (field: string, message: string) => context.addIssue({ code: "custom", path: [field], message });
  for (const [field, value] of Object.entries({ metrics_labels, metrics_token_file }))
    if (value !== undefined && !url?.startsWith("prometheus:"))
      refuse(field, "is for a Prometheus: it goes with a metrics_url that begins with prometheus:");
  if (metrics_token_file !== undefined && url !== undefined && userIn(url))
    refuse("metrics_token_file", "metrics_url has a user as well: leave one of them out");
});

function userIn(url: string): boolean {
  const inner = url.slice(url.indexOf(":") + 1);
  return URL.canParse(inner) && new URL(inner).username !== "";
}

const Regions = z
  .array(MeasuredEntry)
  .min(1, "a regions file names at least one region")
  .refine((entries) => new Set(entries.map((entry) => entry.name)).size === entries.length, "a region is named twice");

/**
 * Reads a regions file (JSON or YAML). Paths of kubeconfigs are relative to the file. Throws Error with every problem and its
 * place, e.g. `1.mesh_url: must be a whole URL`.
 */
function parseRegions(text: string, file: string): readonly RegionEntry[] {
  const parsed = Regions.safeParse(yamlOf(text), { error: settingText });
  if (!parsed.success) throw new Error(placedText(parsed.error));
  const path = (kubeconfig: string) => resolve(dirname(file), kubeconfig);
  const entries = parsed.data.map(
    ({
      rollback_controller: own,
      pull_secret,
      istio_revision,
      metrics_shape,
      metrics_labels,
      metrics_token_file,
      ...entry
    }) => ({
      ...entry,
      kubeconfig: path(entry.kubeconfig),
      metrics_url: entry.metrics_url,
      ...shapeOf(metrics_shape, metrics_labels),
      ...(metrics_token_file === undefined ? {} : { metrics_token_file: path(metrics_token_file) }),
      ...(pull_secret === undefined ? {} : { pull_secret }),
      ...(istio_revision === undefined ? {} : { istio_revision }),
      ...(own === undefined
        ? {}
        : { rollback_controller: { kubeconfig: path(own.kubeconfig), context: own.context ?? entry.context } }),
    }),
  );
  const shared = sharedMetrics(entries);
  if (shared !== undefined) throw new Error(shared);
  return entries;
}

function shapeOf(
  shape: MetricShape | undefined,
  everywhere: Readonly<Record<string, string>> | undefined,
): { readonly metrics_shape?: MetricShape } {
  if (everywhere !== undefined) return { metrics_shape: { ...(shape ?? metricShapes.istio), everywhere } };
  return shape === undefined ? {} : { metrics_shape: shape };
}

/** The regions as the owner of an account reaches them: the rollback-controller by its own kubeconfig, where the file names one. */
export function regionsFor(
  account: RegionAccount | undefined,
  regions: readonly RegionEntry[],
): readonly RegionEntry[] {
  if (account !== "rollback-controller") return regions;
  return regions.map(({ rollback_controller: own, ...entry }) => ({ ...entry, ...own }));
}

/** The parser's first line says what and where; those after it quote the text, which may hold a password. */
function yamlOf(text: string): unknown {
  try {
    return parse(text);
  } catch (error) {
    throw new Error((error instanceof Error ? error.message : String(error)).split("\n")[0]?.replace(/:$/, ""));
  }
}

/** A regions file that is not there, or is not understood: its message begins with the file's path. */
export class RegionsFileError extends Error {
  readonly remedy: string;

  constructor(file: string, cause: unknown) {
    const code = errorCodes(cause).trim();
    const isRead = code === "";
    const words = isRead && cause instanceof Error ? cause.message : `cannot be read (${code})`;
    super(`${file}: ${words}`, { cause });
    this.name = "RegionsFileError";
    this.remedy = isRead ? `correct ${file}` : unreadableRemedy(cause, "SLIPWAY_REGIONS");
  }
}

/** What SLIPWAY_REGIONS asks for: `local:`, or the entries of a file. Throws RegionsFileError. */
export function regionsAsked(
  value: string,
): { readonly kind: "local" } | { readonly kind: "file"; readonly entries: readonly RegionEntry[] } {
  if (value === "local:") return { kind: "local" };
  const file = resolve(value.startsWith("file:") ? value.slice("file:".length) : value);
  try {
    return { kind: "file", entries: parseRegions(readFileSync(file, "utf8"), file) };
  } catch (error) {
    throw new RegionsFileError(file, error);
  }
}
