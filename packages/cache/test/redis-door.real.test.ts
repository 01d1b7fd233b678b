import { mkdtemp } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import type { Logger } from "@slipway/sql";
import { freePort, makeCertificates, realPart, runFolder, startRedis, until } from "@slipway/testkit";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { redisCache, redisProblem } from "../src/index.ts";

const part = realPart("redis");
const secret = "right-of-the-test";
const urlIn = "SLIPWAY_SOME_URL";
const trusted = getCACertificates("default");
const lines: string[] = [];

afterEach(() => {
  expect(lines.join("\n")).not.toContain("of-the-test");
});

const as = (url: string, password: string) => url.replace("://", `://:${password}@`);

/** Keeps something at this URL: what is found there, and what was logged meanwhile. */
async function usedAt(url: string): Promise<{ readonly found: boolean; readonly said: string }> {
  const from = lines.length;
  const write = (fields: object, message: string) => void lines.push(message, JSON.stringify(fields));
  const log: Logger = { debug: write, info: write, warn: write, error: write };
  const cache = redisCache({ url, urlIn, space: "door", log, keepMs: 60_000 });
  try {
    const look = await cache.look("subject", "question");
    await cache.keep("subject", look?.edition ?? "", "question", "answer");
    await cache.forget("subject");
    return { found: look !== undefined, said: lines.slice(from).join("\n") };
  } finally {
    await cache.close();
  }
}

describe.skipIf(part === undefined)("a Redis behind TLS and a password", () => {
  let redis: Awaited<ReturnType<typeof startRedis>>;
  let ca: string;
  beforeAll(async () => {
    const certificates = await makeCertificates(await mkdtemp(join(runFolder(), "redis-door-")));
    ca = certificates.ca;
    redis = await startRedis(part!, { password: secret, tls: certificates });
  });
  afterEach(() => {
    setDefaultCACertificates(trusted);
  });
  afterAll(() => redis?.stop());

  const trust = () => setDefaultCACertificates([...trusted, ca]);
  const problemAt = (url: string) => redisProblem({ url, urlIn });

  test("is used by who has both", async () => {
    trust();
    const url = as(redis.url, secret);

    expect(await problemAt(url)).toBeUndefined();
    expect(await until(async () => (await usedAt(url)).found, { what: "it to be of use" })).toBe(true);
  });

  test("with another password says what to correct, and is done without", async () => {
    trust();
    const url = as(redis.url, "wrong-of-the-test");

    const problem = await problemAt(url);
    expect(problem).toMatch(/refuses the user and password of SLIPWAY_SOME_URL/);
    expect(problem).not.toContain("of-the-test");
    expect(await usedAt(url)).toEqual({ found: false, said: expect.stringMatching(/until Redis answers/) });
  });

  test("under an authority that this machine does not trust is not believed, and is done without", async () => {
    const url = as(redis.url, secret);

    expect(await problemAt(url)).toMatch(/the certificate of Redis at .* is not trusted/);
    expect(await usedAt(url)).toEqual({ found: false, said: expect.stringMatching(/until Redis answers/) });
  });

  test("that is spoken to without TLS says what to say", async () => {
    trust();
    const url = as(redis.url, secret).replace("rediss:", "redis:");

    expect(await problemAt(url)).toMatch(/say rediss:\/\/ in SLIPWAY_SOME_URL .*TLS/);
  });
});

describe.skipIf(part === undefined)("a Redis", () => {
  let redis: Awaited<ReturnType<typeof startRedis>>;
  let open: Awaited<ReturnType<typeof startRedis>>;
  let notRedis: number;
  const page = createServer((socket) => socket.once("data", () => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n")));
  beforeAll(async () => {
    redis = await startRedis(part!, { password: secret });
    open = await startRedis(part!);
    await new Promise<void>((resolve) => page.listen(0, "127.0.0.1", resolve));
    notRedis = (page.address() as AddressInfo).port;
  });
  afterAll(async () => {
    await redis?.stop();
    await open?.stop();
    await new Promise((resolve) => page.close(resolve));
  });

  test.each([
    [
      "of another password",
      async () => as(redis.url, "wrong-of-the-test"),
      /refuses the user and password of SLIPWAY_SOME_URL/,
    ],
    ["without its password", async () => redis.url, /refuses the user and password of SLIPWAY_SOME_URL/],
    [
      "where nothing listens",
      async () => `redis://:hidden-of-the-test@127.0.0.1:${await freePort()}`,
      /nothing listens at 127.*SLIPWAY_SOME_URL/,
    ],
    [
      "of an unknown host",
      async () => "redis://:hidden-of-the-test@no-such-host.invalid:6379",
      /host of no-such-host.* not known: correct SLIPWAY_SOME_URL/,
    ],
    [
      "that is not Redis",
      async () => `redis://:hidden-of-the-test@127.0.0.1:${notRedis}`,
      /is not Redis: correct SLIPWAY_SOME_URL/,
    ],
    [
      "with TLS where there is none",
      async () => open.url.replace("redis:", "rediss:"),
      /nothing answers .*SLIPWAY_SOME_URL.*TLS/,
    ],
  ])("of a URL %s says what to do, and is done without", async (_, url, sentence) => {
    const problem = await redisProblem({ url: await url(), urlIn });

    expect(problem).toMatch(sentence);
    expect(problem).not.toContain("of-the-test");
    expect(await usedAt(await url())).toEqual({ found: false, said: expect.stringMatching(/until Redis answers/) });
  });

  test("whose user may ask how it is and nothing else says which commands are needed", async () => {
    const { Redis } = (await import("ioredis")).default;
    const admin = new Redis(open.url);
    await admin.call("ACL", "SETUSER", "onlooker", "on", `>${secret}`, "~*", "+info", "+client", "+select");
    admin.disconnect();

    expect(await redisProblem({ url: open.url.replace("://", `://onlooker:${secret}@`), urlIn })).toMatch(
      /^the Redis user of SLIPWAY_SOME_URL may not do at .* allow it EVAL, HGET, HSET, PEXPIRE, DEL and INFO on keys slipway:\*$/,
    );
  });

  test("of the right password has no problem", async () => {
    expect(await redisProblem({ url: as(redis.url, secret), urlIn })).toBeUndefined();
    expect(await redisProblem({ url: open.url, urlIn })).toBeUndefined();
  });
});
