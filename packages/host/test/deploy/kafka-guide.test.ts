import { openDb } from "@slipway/sql";
import { type TestDatabase, testDatabase } from "@slipway/testkit";
import { sql } from "kysely";
import { afterAll, beforeAll, expect, test } from "vitest";
import { read } from "./tree.ts";

const [, statement = ""] = /^```sql\n([\s\S]*?)\n```$/m.exec(read("docs/guides/kafka.md")) ?? [];
const digestOf = (letter: string) => `sha256:${letter.repeat(64)}`;
let database: TestDatabase;

beforeAll(async () => {
  database = await testDatabase(["registry", "deployment"]);
});
afterAll(async () => {
  await database?.close();
});

async function artifact(digest: string): Promise<void> {
  await sql`insert into artifact (digest, service, git_sha, spec, provenance, registered_by, created_at)
    values (${digest}, 'orders', ${"a".repeat(40)}, '{}', '{}', 'ada', now())`.execute(database.db("registry"));
}

async function deployment(id: string, digest: string, phase: string): Promise<void> {
  const plan = { digest, environment: "staging" };
  const state = { phase, plan, reason: "It fails 20%.", at: "2026-01-01T00:00:00.000Z" };
  await sql`insert into machine (kind, id, phase, state, version, generation, created_at, updated_at)
    values ('deployment', ${id}, ${phase}, ${JSON.stringify(state)}, 1, 1, now(), now())`.execute(
    database.db("deployment"),
  );
}

test("what was rolled back and is not barred, since its event was lost, is barred by the guide's statement", async () => {
  for (const letter of ["a", "b", "c"]) await artifact(digestOf(letter));
  await deployment("D-1", digestOf("a"), "rolled_back");
  await deployment("D-2", digestOf("a"), "rolled_back");
  await deployment("D-3", digestOf("b"), "rolled_back");
  await deployment("D-4", digestOf("c"), "verified");
  await sql`insert into artifact_bad values (${digestOf("b")}, 'staging', 'D-3', 'it was told', now())`.execute(
    database.db("registry"),
  );
  const admin = openDb({ url: database.adminUrl, schema: "public" });

  try {
    const added = [{ digest: digestOf("a"), environment: "staging", deployment: "D-1" }];
    expect((await sql.raw(statement).execute(admin)).rows).toEqual(added);
    expect((await sql.raw(statement).execute(admin)).rows).toEqual([]);
  } finally {
    await admin.destroy();
  }
});
