import type { Client } from "@slipway/client";
import {
  listArtifacts,
  listBuilds,
  listEnvironments,
  listRegions,
  listServices,
  ProblemError,
} from "@slipway/contracts";
import type { ServiceName } from "./ids.ts";

/** What a call was about, as it was typed. */
export type Asked = {
  readonly service?: string | undefined;
  readonly version?: string | undefined;
  readonly environment?: string | undefined;
  readonly regions?: readonly string[] | undefined;
};

/** Does the call; where the platform does not know a name, its refusal comes with the nearest one that it does know. */
export async function suggesting<T>(client: Client, asked: Asked, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    if (!(error instanceof ProblemError)) throw error;
    const hint = await hintFor(client, error, asked).catch(() => undefined);
    if (hint === undefined) throw error;
    // The platform may have named it already.
    const remedy = /did you mean/.test(error.message) ? hint.replace(/^Did you mean [^?]*\? /, "") : hint;
    throw new ProblemError(error.code, error.message, { remedy, errors: error.errors, cause: error });
  }
}

async function hintFor(client: Client, error: ProblemError, asked: Asked): Promise<string | undefined> {
  if (error.code === "environment.not_found") {
    const { environments } = await client.call(listEnvironments);
    return oneOf(
      "environment",
      asked.environment ?? "",
      environments.map(({ name }) => name),
    );
  }
  if (error.code === "region.not_found") {
    const { regions } = await client.call(listRegions);
    const names: readonly string[] = regions.map(({ name }) => name);
    const unknown = asked.regions?.find((region) => !names.includes(region)) ?? "";
    return oneOf("region", unknown, names);
  }
  const about = error.code === "service.not_found" || error.code === "version.not_found";
  return about && asked.service !== undefined ? serviceOrVersion(client, asked.service, asked.version) : undefined;
}

async function serviceOrVersion(client: Client, service: string, version: string | undefined): Promise<string> {
  const { artifacts } = await client.call(listArtifacts, { query: { page_size: 500 } });
  const { services: registered } = await client.call(listServices, { query: { page_size: 500 } });
  const names = [
    ...artifacts.map((artifact): string => artifact.service),
    ...registered.map(({ name }): string => name),
  ];
  if (!names.includes(service)) return oneOf("service", service, [...new Set(names)].sort());
  const own = artifacts.filter((artifact) => artifact.service === service);
  if (own.length === 0)
    return `Nothing was built of ${service} yet: a push to its repository, or slipway artifacts add, brings its first version.`;
  const building = version === undefined ? undefined : await buildOf(client, service as ServiceName, version);
  if (building !== undefined) return building;
  const newest = own.slice(0, 5).map((artifact) => artifact.git_sha.slice(0, 7));
  const hint = await nearestOf(
    version?.slice(0, 7) ?? "",
    own.map((artifact) => artifact.git_sha.slice(0, 7)),
  );
  return `${hint}The newest versions of ${service} are ${newest.join(", ")}; slipway artifacts list ${service} shows all.`;
}

/** A commit that was pushed may not be an artifact yet, or never become one. */
async function buildOf(client: Client, service: ServiceName, version: string): Promise<string | undefined> {
  if (!/^[0-9a-f]{7,40}$/.test(version)) return undefined;
  const { builds } = await client.call(listBuilds, { query: { service, git_sha: version, page_size: 1 } });
  const build = builds[0];
  if (build === undefined) return `No build of it is known either: has ${version.slice(0, 7)} been pushed?`;
  const look = `slipway logs ${build.build_id}`;
  if (build.status === "QUEUED" || build.status === "RUNNING") return `It is being built: ${look} shows how far it is.`;
  return build.status === "SUCCEEDED"
    ? undefined
    : `Its build ${build.build_id} is ${build.status}: ${look} shows why.`;
}

async function oneOf(what: string, written: string, known: readonly string[]): Promise<string> {
  if (known.length === 0) return `There is no ${what} yet.`;
  const shown = known.slice(0, 20).join(", ");
  return `${await nearestOf(written, known)}The ${what}s are ${shown}${known.length > 20 ? ", ..." : ""}.`;
}

async function nearestOf(written: string, known: readonly string[]): Promise<string> {
  const { nearest } = await import("@slipway/contracts");
  const hint = nearest(written, known).replace(/^, d/, "D");
  return hint === "" ? "" : `${hint} `;
}
