import { join } from "node:path";
import { systemClock } from "@slipway/kernel";
import { fileObjects } from "@slipway/objects";
import { silentLogger } from "@slipway/sql";
import { sql } from "kysely";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Tables } from "../src/store/tables.ts";
import { discardAbandoned } from "../src/v2/abandoned-uploads.ts";
import { startRegistry, type TestRegistry } from "./start-registry.ts";

let registry: TestRegistry;
beforeAll(async () => {
  registry = await startRegistry();
});
afterAll(() => registry?.close());

const hourMs = 3_600_000;

async function begun(): Promise<string> {
  const answer = await registry.v2("POST", "orders/blobs/uploads/");
  const place = (answer.headers.get("location") ?? "").replace("/v2/", "");
  const patched = await registry.v2("PATCH", place, {
    body: "some bytes",
    headers: { "content-type": "application/octet-stream" },
  });
  expect(patched.status).toBe(202);
  return place;
}

test("an upload that nobody goes on with is given up with its bytes; one that is under way stays", async () => {
  const db = registry.database.db<Tables>("registry");
  const objects = fileObjects({ root: join(registry.dataDir, "objects") });
  const parts = { db, objects, clock: systemClock, log: silentLogger, maxBlobBytes: 1_000 };
  const abandoned = await begun();
  const before = (await objects.list("")).length;
  await sql`update upload set updated_at = updated_at - interval '2 hours'`.execute(db);
  const active = await begun();

  expect(await discardAbandoned(parts, hourMs)).toBe(1);

  expect((await registry.v2("GET", abandoned)).status).toBe(404);
  expect((await registry.v2("GET", active)).status).toBe(204);
  expect((await objects.list("")).length).toBe(before);
  expect(await discardAbandoned(parts, hourMs)).toBe(0);
});
