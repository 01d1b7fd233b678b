import { mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { silentLogger } from "@slipway/sql";
import { makeCertificates, type RealKafka, realPart, runFolder, startKafka } from "@slipway/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { kafkaBus, kafkaTrial } from "../src/index.ts";

const part = realPart("kafka");
const password = "word-of-the-test";
const trusted = getCACertificates("default");
let kafka: RealKafka;

beforeAll(async () => {
  if (part === undefined) return;
  const { bothFile, ca } = await makeCertificates(await mkdtemp(join(runFolder(), "kafka-trial-")));
  kafka = await startKafka(part, {
    door: { user: "onlooker", password, pemFile: bothFile },
    // Who comes in by the door has no right; who needs none to come in has all.
    properties: {
      "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
      "super.users": "User:ANONYMOUS",
    },
  });
  setDefaultCACertificates([...trusted, ca]);
});
afterAll(async () => {
  setDefaultCACertificates(trusted);
  await kafka?.stop();
});

/** Whether it answers, and what a service would meet there. */
async function looked(url: string): Promise<readonly (string | undefined)[]> {
  const bus = kafkaBus({ url, log: silentLogger });
  try {
    await expect.poll(() => bus.ready(), { timeout: 60_000 }).toBeUndefined();
    return [await bus.ready(), await kafkaTrial({ url, log: silentLogger }, ["some-group"])];
  } finally {
    await bus.close();
  }
}

describe.skipIf(part === undefined)("a Kafka that answers is tried out", () => {
  test("with nothing to say, and nothing made, where a topic could be made", async () => {
    expect(await looked(kafka.url)).toEqual([undefined, undefined]);
    const { Kafka, logLevel } = (await import("kafkajs")).default;
    const admin = new Kafka({ brokers: [kafka.url.slice("kafka://".length)], logLevel: logLevel.NOTHING }).admin();
    await admin.connect();
    expect((await admin.listTopics()).filter((topic) => topic.startsWith("slipway"))).toEqual([]);
    await admin.disconnect();
  });

  test("and has too few brokers for the copies of the URL", async () => {
    expect(await looked(`${kafka.url}?replication=3`)).toEqual([
      undefined,
      expect.stringMatching(/too few brokers for the copies.*lower \?replication= in SLIPWAY_BUS_URL/),
    ]);
  });

  test("and allows its user nothing", async () => {
    const [ready, problem] = await looked(`kafka+ssl://onlooker:${password}@${kafka.door}`);

    expect(ready).toBeUndefined();
    expect(problem).toMatch(/does not allow it.*give Slipway's user the rights to read, write and create topics/);
    expect(problem).not.toContain(password);
  });
});
