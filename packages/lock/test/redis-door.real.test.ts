import { mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import type { EnvironmentName, RegionName, ServiceName } from "@slipway/kernel";
import type { Logger } from "@slipway/sql";
import { makeCertificates, realPart, runFolder, startRedis, type TestDatabase, testDatabase } from "@slipway/testkit";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { redisLocks, redisProblem } from "../src/index.ts";

const part = realPart("redis");
const password = "right-of-the-test";
const trusted = getCACertificates("default");
const lines: string[] = [];
let redis: Awaited<ReturnType<typeof startRedis>>;
let database: TestDatabase;
let ca: string;

beforeAll(async () => {
  if (part === undefined) return;
  const certificates = await makeCertificates(await mkdtemp(join(runFolder(), "redis-door-")));
  ca = certificates.ca;
  redis = await startRedis(part, { password, tls: certificates });
  database = await testDatabase("deployment");
});
afterEach(() => {
  setDefaultCACertificates(trusted);
});
afterAll(async () => {
  await redis?.stop();
  await database?.close();
});

const trust = () => setDefaultCACertificates([...trusted, ca]);
const urlOf = (secret: string) => redis.url.replace("://", `://:${secret}@`);
const target = (service: string) => ({
  service: service as ServiceName,
  environment: "prod" as EnvironmentName,
  region: "a" as RegionName,
});

/** Takes a lock at this URL, and answers what was logged meanwhile. */
async function lockAt(url: string, service: string): Promise<string> {
  const from = lines.length;
  const write = (fields: object, message: string) => void lines.push(message, JSON.stringify(fields));
  const log: Logger = { debug: write, info: write, warn: write, error: write };
  const locks = redisLocks({ url, db: database.db("deployment"), log });
  try {
    const asked = { holder: `H-${service}`, targets: [target(service)] };
    expect(await locks.acquire(asked)).toMatchObject({ kind: "granted" });
    expect(await locks.holders(asked.targets)).toMatchObject([{ holder: asked.holder }]);
  } finally {
    await locks.close();
  }
  return lines.slice(from).join("\n");
}

describe.skipIf(part === undefined)("a Redis behind TLS and a password", () => {
  afterEach(() => {
    expect(lines.join("\n")).not.toContain("of-the-test");
  });

  test("is used by who has both", async () => {
    trust();
    expect(await redisProblem(urlOf(password))).toBeUndefined();
    expect(await lockAt(urlOf(password), "both")).not.toMatch(/until Redis answers/);
  });

  test("with another password says what to correct, and locks go on", async () => {
    trust();
    const problem = await redisProblem(urlOf("wrong-of-the-test"));

    expect(problem).toMatch(/refuses the user and password of SLIPWAY_LOCK_URL/);
    expect(problem).not.toContain("of-the-test");
    expect(await lockAt(urlOf("wrong-of-the-test"), "wrong")).toMatch(/until Redis answers/);
  });

  test("under an authority that this machine does not trust is not believed, and locks go on", async () => {
    expect(await redisProblem(urlOf(password))).toMatch(/no TLS connection .*certificate that this machine trusts/);
    expect(await lockAt(urlOf(password), "untrusted")).toMatch(/until Redis answers/);
  });

  test("that is spoken to without TLS says what to say", async () => {
    trust();
    expect(await redisProblem(urlOf(password).replace("rediss:", "redis:"))).toMatch(/say rediss:\/\/ .*TLS/);
  });
});
