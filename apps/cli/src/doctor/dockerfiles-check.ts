import { readKubernetesUrl } from "@slipway/executor";
import type { Check } from "./checks.ts";

const name = "dockerfiles";
const guide = "docs/guides/builds-on-kubernetes.md, Dockerfiles";

/** Whether builds that run with this environment would build a Dockerfile, and by what. */
export function dockerfilesCheck(environment: Readonly<Record<string, string | undefined>>): Check {
  const url = environment.SLIPWAY_EXECUTOR ?? "";
  if (!url.startsWith("kubernetes:"))
    return { name, state: "ok", found: `not built here: that takes builds on Kubernetes (${guide})` };
  try {
    const { builder } = readKubernetesUrl(url);
    const found =
      builder === undefined
        ? `not built: SLIPWAY_EXECUTOR names no buildkit_image (${guide})`
        : `built by ${builder.image} in ${builder.namespace}`;
    return { name, state: "ok", found };
  } catch (error) {
    const found = `SLIPWAY_EXECUTOR cannot be read: ${error instanceof Error ? error.message : String(error)}`;
    return { name, state: "bad", found, remedy: `Write it as ${guide} does.` };
  }
}
