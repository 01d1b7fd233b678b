import { mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import type { Logger } from "@slipway/sql";
import {
  freshName,
  makeCertificates,
  type RealKafka,
  realPart,
  runFolder,
  startKafka,
  testEvent,
} from "@slipway/testkit";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { type Bus, BusUnavailable, kafkaBus } from "../src/index.ts";

const part = realPart("kafka");
const password = "pa:ss/w@rd-of-the-test";
const trusted = getCACertificates("default");
const lines: string[] = [];
const buses: Bus[] = [];
let kafka: RealKafka;
let ca: string;

beforeAll(async () => {
  if (part === undefined) return;
  const certificates = await makeCertificates(await mkdtemp(join(runFolder(), "kafka-door-")));
  ca = certificates.ca;
  kafka = await startKafka(part, { door: { user: "slipway", password, pemFile: certificates.bothFile } });
});
afterEach(async () => {
  for (const bus of buses.splice(0)) await bus.close();
  setDefaultCACertificates(trusted);
});
afterAll(async () => {
  await kafka?.stop();
});

function openBus(url: string): Bus {
  const write = (fields: object, message: string) =>
    void lines.push(
      message,
      JSON.stringify(fields, (_, value) => (value instanceof Error ? String(value.stack) : value)),
    );
  const log: Logger = { debug: write, info: write, warn: write, error: write };
  const bus = kafkaBus({ url, log });
  buses.push(bus);
  return bus;
}

const trust = () => setDefaultCACertificates([...trusted, ca]);
const doorUrl = (secret: string, query = "", scheme = "kafka+ssl") =>
  `${scheme}://slipway:${encodeURIComponent(secret)}@${kafka.door}${query}`;

/** What each call of a bus is refused with; the same by readiness. */
async function refusals(bus: Bus): Promise<readonly string[]> {
  const topic = freshName("topic");
  const handler = async () => undefined;
  const calls = [
    bus.publish(topic, [testEvent("a", "D-1")]),
    bus.subscribe({ group: freshName("group"), topics: [topic], handler }),
    bus.read(topic, 0, 10),
  ];
  const refused = await Promise.allSettled(calls);
  const reasons = refused.map((one) => (one.status === "rejected" ? one.reason : undefined));
  for (const reason of reasons) expect(reason).toBeInstanceOf(BusUnavailable);
  return [...reasons.map(({ message }) => String(message)), (await bus.ready()) ?? "ready"];
}

describe.skipIf(part === undefined)("a Kafka behind TLS and a password", () => {
  afterEach(() => {
    expect(lines.join("\n")).not.toContain(password);
    expect(lines.join("\n")).not.toContain("of-the-test");
  });

  test.each(["?sasl=plain", ""])("lets in who has both, and carries events (%s)", async (query) => {
    trust();
    const bus = openBus(doorUrl(password, query));
    const topic = freshName("topic");
    const seen = Promise.withResolvers<string>();

    const handler = async ({ id }: { id: string }) => seen.resolve(id);
    const subscription = await bus.subscribe({ group: freshName("group"), topics: [topic], handler });
    await bus.publish(topic, [testEvent("a", "D-1")]);

    expect(await seen.promise).toBe("a");
    expect((await bus.read(topic, 0, 10)).events.map(({ id }) => id)).toEqual(["a"]);
    expect(await bus.ready()).toBeUndefined();
    await subscription.stop();
  });

  test.each(["?sasl=plain", ""])(
    "refuses another password by a sentence that says what to correct (%s)",
    async (query) => {
      trust();
      const said = await refusals(openBus(doorUrl("wrong-of-the-test", query)));

      for (const sentence of said) {
        expect(sentence).toMatch(
          /Kafka at 127\.0\.0\.1:\d+ refuses to let Slipway in .*correct user, password and \?sasl=/,
        );
        expect(sentence).not.toContain("of-the-test");
      }
    },
  );

  test("refuses a way to say the password that it does not know", async () => {
    trust();
    const said = await refusals(openBus(doorUrl(password, "?sasl=scram-sha-256")));

    for (const sentence of said) expect(sentence).toMatch(/refuses to let Slipway in .*\?sasl= in SLIPWAY_BUS_URL/);
  });

  test("is not believed under an authority that this machine does not trust", async () => {
    const said = await refusals(openBus(doorUrl(password)));

    for (const sentence of said)
      expect(sentence).toMatch(/the certificate of Kafka at .* is not trusted.*NODE_EXTRA_CA_CERTS/);
  });

  test("says that TLS is meant where it is spoken to without, and the other way round", async () => {
    trust();
    const without = await refusals(openBus(doorUrl(password, "", "kafka")));
    const with_ = await refusals(openBus(kafka.url.replace("kafka:", "kafka+ssl:")));

    for (const sentence of without) expect(sentence).toMatch(/Kafka .*127\.0\.0\.1:\d+ .*kafka\+ssl:\/\//);
    for (const sentence of with_) expect(sentence).toMatch(/no TLS with Kafka at .*kafka\+ssl:\/\//);
  });
});
