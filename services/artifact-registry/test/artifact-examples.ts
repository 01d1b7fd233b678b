import { createHash } from "node:crypto";
import { type ArtifactView, listPromotions, registerArtifact, requestPromotion } from "@slipway/contracts";
import { pushedImage, putManifest, type TestRegistry } from "./start-registry.ts";

export const provenance = {
  builder: "slipway/build-service",
  build_id: "B-1",
  repository: "http://127.0.0.1/git/orders.git",
  isolation: "bubblewrap" as const,
  limits: "cgroup",
  started_at: "2026-11-23T10:00:00.000Z",
  finished_at: "2026-11-23T10:01:00.000Z",
};

export function specOf(service: string) {
  return {
    version: 1 as const,
    service,
    pipeline: { unit: { run: "node --test" } },
    image: { copy: ["dist"], command: ["node", "dist/server.js"] },
  };
}

let made = 0;

export function nextCommit(): string {
  made += 1;
  return createHash("sha1").update(`commit ${made}`).digest("hex");
}

export type Registered = { readonly digest: string; readonly commit: string; readonly view: ArtifactView };

/** An image pushed under a new commit and registered as an artifact. */
export async function registered(
  registry: TestRegistry,
  service = "orders",
  more: { isolation?: "bubblewrap" | "none" } = {},
): Promise<Registered> {
  const commit = nextCommit();
  const image = await pushedImage(registry, service);
  await putManifest(registry, service, commit, image.text);
  const view = await registry.as("artifact-registry").call(registerArtifact, {
    body: {
      service,
      git_sha: commit,
      digest: image.digest,
      spec: specOf(service),
      provenance: { ...provenance, ...more },
    },
  });
  if (!("environments" in view)) throw new Error("a build's image is an artifact at once");
  return { digest: image.digest, commit, view };
}

/** The same, promoted to staging. */
export async function inStaging(registry: TestRegistry, more: { isolation?: "bubblewrap" | "none" } = {}) {
  const artifact = await registered(registry, "orders", more);
  await promote(registry, artifact.digest, "staging");
  return artifact;
}

export function promote(registry: TestRegistry, digest: string, to: string, as = "deployer") {
  return registry.as(as).call(requestPromotion, { params: { digest }, body: { to } });
}

export async function promotionsOf(registry: TestRegistry, digest: string) {
  const { promotions } = await registry.as("viewer").call(listPromotions, { params: { digest } });
  return promotions;
}
