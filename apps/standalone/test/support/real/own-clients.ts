import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DigestSchema, listBuilds } from "@slipway/contracts";
import { pullAndUnpack, RegistryClient } from "@slipway/oci";
import { openDb, silentLogger, startEmbeddedPostgres } from "@slipway/sql";
import type { Held } from "./see-that-it-is-real.ts";

/** Digests of every build of the held commit that has succeeded. */
export async function digestsOfBuilds({ platform, sha }: Held): Promise<readonly string[]> {
  const { builds } = await platform.as("viewer").call(listBuilds, { query: { git_sha: sha, page_size: 100 } });
  return builds.flatMap(({ digest, status }) => (status === "SUCCEEDED" && digest !== null ? [digest] : []));
}

/** The held commit's image, pulled and unpacked into a folder of its own. */
export async function pulledRoot(held: Held): Promise<{ readonly root: string; remove(): Promise<void> }> {
  const [digest] = await digestsOfBuilds(held);
  const into = await mkdtemp(join(tmpdir(), "slipway-pulled-"));
  const auth = { username: "viewer", password: held.platform.token("viewer") };
  const client = new RegistryClient({ url: held.platform.endpoints().platform?.url ?? "", auth });
  try {
    const { root } = await pullAndUnpack({ client, repository: "orders", digest: DigestSchema.parse(digest), into });
    return { root, remove: () => rm(into, { recursive: true }) };
  } finally {
    await client.close();
  }
}

/** What the build service's role gets when it asks for rows of the orchestrator's schema. */
export async function readAnothersSchema(dataDir: string): Promise<unknown> {
  const postgres = await startEmbeddedPostgres({ dataDir, durability: "full", log: silentLogger });
  const db = openDb<{ machine: { id: string } }>({
    ...{ url: postgres.roleUrl("slipway_build"), schema: "build", max: 1 },
    ...{ applicationName: "test", log: silentLogger },
  });
  try {
    await db.selectFrom("machine").select("id").limit(1).execute();
    return await db.withSchema("deployment").selectFrom("machine").select("id").limit(1).execute();
  } finally {
    await db.destroy();
  }
}
