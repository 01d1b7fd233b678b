import { expect, test } from "vitest";
import { areObjectsShared } from "./adapters.ts";
import { readConfig } from "./config.ts";

test("objects are in one place for all where a place is named, or where nobody shares the database", () => {
  const shared = (env: Record<string, string>) => areObjectsShared(readConfig(env));
  const SLIPWAY_DATABASE_URL = "postgres://postgres:5432/slipway";

  expect(shared({})).toBe(true);
  expect(shared({ SLIPWAY_DATABASE_URL })).toBe(false);
  expect(shared({ SLIPWAY_DATABASE_URL, SLIPWAY_OBJECTS_URL: "" })).toBe(false);
  expect(shared({ SLIPWAY_DATABASE_URL, SLIPWAY_OBJECTS_URL: "s3://bucket" })).toBe(true);
  expect(shared({ SLIPWAY_DATABASE_URL, SLIPWAY_OBJECTS_URL: "file:///mnt/objects" })).toBe(true);
});
