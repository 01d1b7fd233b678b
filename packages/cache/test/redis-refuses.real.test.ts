import { realPart, startRedis, until } from "@slipway/testkit";
import { Redis } from "ioredis";
import { afterEach, describe, expect, test } from "vitest";
import { redisProblem } from "../src/index.ts";

const part = realPart("redis");
const urlIn = "SLIPWAY_SOME_URL";

describe.skipIf(part === undefined)("a Redis that answers and is of no use", () => {
  const ends: (() => Promise<void> | void)[] = [];
  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end();
  });

  async function started(settings: readonly string[]): Promise<string> {
    const redis = await startRedis(part!, { settings });
    ends.push(() => redis.stop());
    return redis.url;
  }

  test.each([
    [
      "in cluster mode",
      ["--cluster-enabled", "yes"],
      /^Redis at \S+ runs in cluster mode, .* name a single one, .* in SLIPWAY_SOME_URL$/,
    ],
    [
      "without EVAL",
      ["--rename-command", "EVAL", ""],
      /does not have a command that is needed \(EVAL, .*rename-command/,
    ],
  ])("%s says so", async (_, settings, sentence) => {
    expect(await redisProblem({ url: await started(settings), urlIn })).toMatch(sentence);
  });

  test("says why it takes nothing more, and has no problem any more once that is mended", async () => {
    const url = await started([]);
    const admin = new Redis(url);
    ends.push(() => admin.disconnect());
    const set = async (name: string, value: string) => void (await admin.config("SET", name, value));
    const problem = () => redisProblem({ url, urlIn });

    await set("maxmemory", "1");
    expect(await problem()).toMatch(/has no memory left .*maxmemory-policy allkeys-lru$/);
    await set("maxmemory", "0");
    await set("min-replicas-to-write", "1");
    expect(await problem()).toMatch(/takes no writes for want of replicas: .*min-replicas-to-write$/);
    await set("min-replicas-to-write", "0");
    expect(await problem()).toBeUndefined();

    await admin.call("REPLICAOF", "127.0.0.1", "1");
    expect(await problem()).toMatch(/is a replica: name the primary in SLIPWAY_SOME_URL$/);
    await set("replica-serve-stale-data", "no");
    await until(async () => expect(await problem()).toMatch(/is a replica that has lost its primary: /), {
      what: "the replica to have lost its primary",
    });
    await admin.call("REPLICAOF", "NO", "ONE");
    expect(await problem()).toBeUndefined();
  });
});
