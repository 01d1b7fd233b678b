import type { RegionName } from "@slipway/kernel";

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
