import { join } from "node:path";
import { systemClock } from "@slipway/kernel";
import { fileObjects } from "@slipway/objects";
import { silentLogger } from "@slipway/sql";
import { sql } from "kysely";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Tables } from "../src/store/tables.ts";
import { discardAbandoned, removeStrayChunks } from "../src/v2/abandoned-uploads.ts";
import { startRegistry, type TestRegistry } from "./start-registry.ts";

let registry: TestRegistry;
beforeAll(async () => {
  registry = await startRegistry();
});
afterAll(() => registry?.close());

const hourMs = 3_600_000;

function parts() {
  const objects = fileObjects({ root: join(registry.dataDir, "objects") });
  const db = registry.database.db<Tables>("registry");
  return { db, objects, clock: systemClock, log: silentLogger, maxBlobBytes: 1_000 };
}

async function areIdle(...places: readonly string[]): Promise<void> {
  const ids = places.map((place) => place.split("/").at(-1) ?? "");
  await sql`update upload set updated_at = updated_at - interval '2 hours' where id = any(${ids}::uuid[])`.execute(
    registry.database.db("registry"),
  );
}

async function goOn(place: string): Promise<Response> {
  return registry.v2("PATCH", place, { body: "some bytes", headers: { "content-type": "application/octet-stream" } });
}

async function begun(): Promise<string> {
  const answer = await registry.v2("POST", "orders/blobs/uploads/");
  const place = (answer.headers.get("location") ?? "").replace("/v2/", "");
  expect((await goOn(place)).status).toBe(202);
  return place;
}

test("an upload that nobody goes on with is given up with its bytes; one that is under way stays", async () => {
  const { objects } = parts();
  const abandoned = await begun();
  const before = (await objects.list("")).length;
  await areIdle(abandoned);
  const active = await begun();

  expect(await discardAbandoned(parts(), hourMs)).toBe(1);

  expect((await registry.v2("GET", abandoned)).status).toBe(404);
  expect((await registry.v2("GET", active)).status).toBe(204);
  expect((await objects.list("")).length).toBe(before);
  expect(await discardAbandoned(parts(), hourMs)).toBe(0);
});

test("one that somebody goes on with while others are given up stays, and of two that look at once each is given up by one", async () => {
  const { objects, ...rest } = parts();
  const before = (await objects.list("")).length;
  const idle = [await begun(), await begun(), await begun()];
  await areIdle(...idle);
  let resumed: Promise<Response> | undefined;
  // When the first one is given up, the last one has been found idle, too.
  const late = {
    ...objects,
    async delete(key: string) {
      resumed ??= goOn(idle[2] ?? "");
      await resumed;
      await objects.delete(key);
    },
  };

  const given = await Promise.all([
    discardAbandoned({ ...rest, objects: late }, hourMs),
    discardAbandoned({ ...rest, objects: late }, hourMs),
  ]);

  expect([(await resumed)?.status, given[0] + given[1]]).toEqual([202, 2]);
  expect((await registry.v2("GET", idle[2] ?? "")).headers.get("range")).toBe("0-19");
  expect((await objects.list("")).length).toBe(before + 2);
  expect((await registry.v2("DELETE", idle[2] ?? "")).status).toBe(204);
});

test("bytes that a killed process left of uploads go, and those of an upload that is under way stay", async () => {
  const { objects } = parts();
  const active = await begun();
  const kept = await objects.list("");
  await objects.put("oci/uploads/3c1d9a52-0000-4000-8000-000000000000/0-left", Buffer.from("some bytes"));

  expect(await removeStrayChunks(parts())).toBe(1);

  expect(await objects.list("")).toEqual(kept);
  expect((await goOn(active)).status).toBe(202);
});
