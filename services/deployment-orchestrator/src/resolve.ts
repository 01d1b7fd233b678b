import type { Client } from "@slipway/client";
import {
  type ArtifactView,
  type DeploymentRequest,
  getArtifact,
  listArtifacts,
  nearest,
  ProblemError,
} from "@slipway/contracts";
import type { EnvironmentEntry } from "@slipway/host";
import type { Digest, ServiceName } from "@slipway/kernel";
import type { SecretStore } from "@slipway/secrets";
import { renderWorkload, secretNames } from "./domain/manifest.ts";

/** Where artifacts and the secrets of their pods are known. */
type Sources = { readonly client: Client; readonly secrets: SecretStore };

/**
 * The present revisions of what an artifact's pods are given in an environment. Each is decrypted once, so that what cannot be is known
 * before anything moves. Throws secret.missing, secret.key_missing or secret.unreadable.
 */
export async function presentSecrets(
  secrets: SecretStore,
  artifact: ArtifactView,
  environment: EnvironmentEntry,
): Promise<Readonly<Record<string, string>>> {
  const scope = { service: artifact.service, scope: environment.name };
  const revisions = await secrets.revisions(scope, secretNames(artifact, environment.name));
  await secrets.read(scope, revisions);
  return revisions;
}

/**
 * Finds the one artifact that a request's version names: a digest, a commit of 7 to 40 digits, or `<sha7>-<hash5>`.
 * Throws version.not_found, version.ambiguous, artifact.not_promoted, artifact.unisolated or artifact.marked_bad.
 */
export async function resolveArtifact(
  from: Sources,
  request: DeploymentRequest,
  environment: EnvironmentEntry,
  environments: readonly EnvironmentEntry[],
): Promise<ArtifactView> {
  const artifact = await findArtifact(from, request.service, request.version, environment);
  const here = artifact.environments.some((entry) => entry.environment === environment.name);
  if (!here) {
    throw new ProblemError(
      "artifact.not_promoted",
      `${artifact.git_sha.slice(0, 7)} of ${request.service} is not promoted to ${environment.name}.`,
      { remedy: promotions(artifact, environment, environments) },
    );
  }
  if (environment.production && artifact.provenance.isolation === "none") {
    throw new ProblemError(
      "artifact.unisolated",
      `${artifact.digest} was built without isolation and may not run in ${environment.name}.`,
      {
        remedy: "Build the commit again with isolation.",
      },
    );
  }
  return artifact;
}

/** An artifact goes from one environment to the next: every promotion that it still needs, in order. */
function promotions(
  { digest, environments: reached }: ArtifactView,
  to: EnvironmentEntry,
  all: readonly EnvironmentEntry[],
): string {
  const names = all.map(({ name }) => name).slice(0, all.findIndex(({ name }) => name === to.name) + 1);
  const missing = names.filter((name) => !reached.some(({ environment }) => environment === name));
  return missing.map((name) => `slipway artifacts promote ${digest} --to ${name}`).join(", then ");
}

async function findArtifact(
  from: Sources,
  service: ServiceName,
  version: string,
  environment: EnvironmentEntry,
): Promise<ArtifactView> {
  const found = await candidates(from, service, version, environment);
  const [first, second] = found;
  if (first === undefined) {
    throw await nothingFound(from.client, service, version);
  }
  if (second !== undefined) {
    const named = found.map((artifact) => artifact.digest).join(", ");
    throw new ProblemError("version.ambiguous", `${version} of ${service} names more than one artifact: ${named}.`, {
      remedy: "Name the digest.",
    });
  }
  return first;
}

/** Tells a service that nobody ever built from a version that it does not have, and names what there is. */
async function nothingFound(client: Client, service: ServiceName, version: string): Promise<ProblemError> {
  const { artifacts: own } = await client.call(listArtifacts, { query: { service, page_size: 5 } });
  if (own.length > 0) {
    const newest = own.map(({ git_sha }) => git_sha.slice(0, 7)).join(", ");
    return new ProblemError("version.not_found", `No artifact of ${service} is called ${version}.`, {
      remedy: `The newest are ${newest}; GET /api/v1/artifacts?service=${service} lists them all.`,
    });
  }
  const { artifacts: others } = await client.call(listArtifacts, { query: { page_size: 500 } });
  const services = [...new Set(others.map((artifact) => artifact.service))];
  const detail = `Nothing was ever built for a service ${service}${nearest(service, services) || "."}`;
  return new ProblemError("service.not_found", detail, {
    remedy: `Push to its repository; slipway repositories set ${service} URL says where that is.`,
  });
}

async function candidates(
  { client, secrets }: Sources,
  service: ServiceName,
  version: string,
  environment: EnvironmentEntry,
): Promise<readonly ArtifactView[]> {
  if (version.startsWith("sha256:")) {
    const artifact = await client
      .call(getArtifact, { params: { digest: version as Digest } })
      .catch((error: unknown) => {
        if (error instanceof ProblemError && error.code === "artifact.not_found") return undefined;
        throw error;
      });
    return artifact !== undefined && artifact.service === service ? [artifact] : [];
  }
  const [sha, hash] = version.split("-");
  const { artifacts } = await client.call(listArtifacts, { query: { service, git_sha: sha, page_size: 50 } });
  if (hash === undefined) return artifacts;
  const named = await Promise.all(
    artifacts.map(async (artifact) => {
      const revisions = await presentSecrets(secrets, artifact, environment).catch(() => undefined);
      if (revisions === undefined) return [];
      return renderWorkload(artifact, environment.name, revisions).version.endsWith(`-${sha}-${hash}`)
        ? [artifact]
        : [];
    }),
  );
  return named.flat();
}
