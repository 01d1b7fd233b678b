import { kafkaBus } from "@slipway/bus";
import { silentLogger } from "@slipway/sql";
import { type RealKafka, realPart, startKafka, type TestDatabase, testDatabase, testEvent } from "@slipway/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { checkBackends } from "../src/index.ts";

const part = realPart("kafka");
let kafka: RealKafka;
let database: TestDatabase;

beforeAll(async () => {
  if (part === undefined) return;
  kafka = await startKafka(part);
  database = await testDatabase(["access", "notes"]);
});
afterAll(async () => {
  await database?.close();
  await kafka?.stop();
});

/** What the doctor has against the bus. */
async function problems(busUrl: string): Promise<readonly string[]> {
  const env = { SLIPWAY_DATABASE_URL: database.adminUrl, SLIPWAY_BUS_URL: busUrl };
  const bus = (await checkBackends(env)).find(({ name }) => name === "bus");
  return bus?.problems ?? ["the bus was not looked at"];
}

test.skipIf(part === undefined)(
  "the doctor says that a Kafka's topics are another Slipway's, until a prefix is given",
  async () => {
    expect(await problems(kafka.url)).toEqual([]);
    const other = kafkaBus({ url: kafka.url, log: silentLogger, installation: async () => "another" });
    await other.publish("slipway.deployment.v1", [testEvent("of another", "D-1")]);
    await other.close();

    expect(await problems(kafka.url)).toEqual([
      expect.stringMatching(/belong to another Slipway: give one of the two a \?prefix=/),
    ]);
    expect(await problems(`${kafka.url}?prefix=ours.`)).toEqual([]);
  },
);
