import { realPart, startS3 } from "@slipway/testkit";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { openObjects } from "../src/adapters.ts";
import { checkBackends } from "../src/index.ts";

const part = realPart("versitygw");
let s3: Awaited<ReturnType<typeof startS3>>;

beforeAll(async () => {
  if (part === undefined) return;
  s3 = await startS3(part);
  await s3.makeBucket("slipway");
  vi.stubEnv("AWS_ACCESS_KEY_ID", s3.accessKeyId);
  vi.stubEnv("AWS_SECRET_ACCESS_KEY", s3.secretAccessKey);
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await s3?.stop();
});

describe.skipIf(part === undefined)("a store of objects is tried out", () => {
  test("with an object that is not there any more", async () => {
    const url = `s3://slipway/eu?endpoint=${s3.endpoint}`;

    expect(await checkBackends({ SLIPWAY_OBJECTS_URL: url })).toEqual([{ name: "objects", problems: [] }]);
    expect(await openObjects(url, "/nowhere").list("")).toEqual([]);
  });
});
