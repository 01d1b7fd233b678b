import { createHash } from "node:crypto";
import type { ArtifactView } from "@slipway/contracts";
import type { EnvironmentName, VersionName } from "@slipway/kernel";
import type { Workload } from "./deployment.ts";

const base32 = "abcdefghijklmnopqrstuvwxyz234567";

/** Names of the secrets that an artifact's pods have in an environment. */
export function secretNames({ spec }: ArtifactView, environment: EnvironmentName): readonly string[] {
  return spec.environments[environment]?.secrets ?? [];
}

/**
 * What an artifact becomes in an environment: its workload and the name that is bound to digest and configuration, of which the revisions
 * of its secrets are a part: with another value it is another version.
 */
export function renderWorkload(
  artifact: ArtifactView,
  environment: EnvironmentName,
  secrets: Readonly<Record<string, string>> = {},
): { version: VersionName; workload: Workload } {
  const { spec } = artifact;
  const own = spec.environments[environment];
  const workload: Workload = {
    // Where it is published it is pulled from there, also while it is still on its way.
    image: artifact.publication?.image ?? artifact.image,
    replicas: own?.replicas ?? spec.workload.replicas,
    env: own?.env ?? {},
    ...(Object.keys(secrets).length === 0 ? {} : { secrets }),
    ready: { path: spec.workload.ready.path, timeoutMs: spec.workload.ready.timeout },
    resources: spec.workload.resources,
    graceMs: spec.workload.grace,
  };
  const name = `${artifact.service}-${artifact.git_sha.slice(0, 7)}-${hash5(artifact, workload)}`;
  return { version: name as VersionName, workload };
}

/** Five letters over digest and manifests; replicas and the registry's host are not part of what a version is. */
function hash5(artifact: ArtifactView, workload: Workload): string {
  const { image: _image, replicas: _replicas, ...rest } = workload;
  const bytes = createHash("sha256").update(artifact.digest).update("\n").update(canonical(rest)).digest();
  let letters = "";
  for (let i = 0; i < 5; i += 1) letters += base32[(bytes[i] ?? 0) & 31];
  return letters;
}

/** JSON with sorted keys, so that the same content has the same text. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, v]) => `${JSON.stringify(key)}:${canonical(v)}`).join(",")}}`;
}
