import { mkdtemp, readFile } from "node:fs/promises";
import { join } from "node:path";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { silentLogger } from "@slipway/sql";
import { makeCertificates, type RealKafka, realPart, runFolder, startKafka, testEvent } from "@slipway/testkit";
import kafkajs, { type AclEntry } from "kafkajs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Bus, kafkaBus, kafkaTrial } from "../src/index.ts";

const part = realPart("kafka");
const trusted = getCACertificates("default");
const { AclOperationTypes, AclPermissionTypes, AclResourceTypes, ResourcePatternTypes } = kafkajs;
const { Kafka, logLevel } = kafkajs;
const topic = "slipway.deployment.v1";
const group = "rollback-controller";
let kafka: RealKafka;
let url: string;

beforeAll(async () => {
  if (part === undefined) return;
  const { bothFile, ca } = await makeCertificates(await mkdtemp(join(runFolder(), "kafka-rights-")));
  kafka = await startKafka(part, {
    door: { user: "slipway", password: "word-of-the-test", pemFile: bothFile },
    properties: {
      "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
      "super.users": "User:ANONYMOUS",
    },
  });
  url = `kafka+ssl://slipway:word-of-the-test@${kafka.door}?sasl=plain`;
  setDefaultCACertificates([...trusted, ca]);
});
afterAll(async () => {
  setDefaultCACertificates(trusted);
  await kafka?.stop();
});

/** The rights that the guide lists, of one kind, as its commands would give them. */
async function listed(what: "topic" | "group"): Promise<readonly AclEntry[]> {
  const guide = await readFile(join(import.meta.dirname, "../../../docs/guides/kafka.md"), "utf8");
  const [line = ""] = guide.match(new RegExp(`^\\$acls .*--${what} .*$`, "m")) ?? [];
  const valuesOf = (option: string) => [...line.matchAll(new RegExp(`--${option} (\\S+)`, "g"))].map(([, one]) => one);
  const isPrefix = valuesOf("resource-pattern-type")[0] === "prefixed";
  return valuesOf(what).flatMap((resourceName = "") =>
    valuesOf("operation").map((operation) => ({
      resourceName,
      resourceType: what === "topic" ? AclResourceTypes.TOPIC : AclResourceTypes.GROUP,
      resourcePatternType: isPrefix ? ResourcePatternTypes.PREFIXED : ResourcePatternTypes.LITERAL,
      principal: "User:slipway",
      host: "*",
      operation: AclOperationTypes[String(operation).toUpperCase() as keyof typeof AclOperationTypes],
      permissionType: AclPermissionTypes.ALLOW,
    })),
  );
}

async function give(acl: readonly AclEntry[]): Promise<void> {
  expect(acl.length).toBeGreaterThan(0);
  const brokers = [kafka.url.slice("kafka://".length)];
  const admin = new Kafka({ brokers, logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  await admin.createAcls({ acl: [...acl] });
  await admin.disconnect();
}

/** What each thing that services do is refused with. */
async function refusals(bus: Bus): Promise<{ publish: string; subscribe: string; trial: string }> {
  const said = (work: Promise<unknown>) =>
    work.then(
      () => "",
      (error: Error) => error.message,
    );
  const subscribing = bus.subscribe({ group, topics: [topic], handler: async () => undefined });
  const subscribe = await said(subscribing);
  await subscribing.then((one) => one.stop()).catch(() => undefined);
  return {
    publish: await said(bus.publish(topic, [testEvent("a", "D-1")])),
    subscribe,
    trial: (await kafkaTrial({ url, log: silentLogger }, ["artifact-registry", group])) ?? "",
  };
}

describe.skipIf(part === undefined)("a Kafka that gives its user rights", () => {
  test("names those that are missing, and needs those of the guide and no others", async () => {
    const bus = kafkaBus({ url, log: silentLogger });
    try {
      await expect.poll(() => bus.ready(), { timeout: 60_000 }).toBeUndefined();
      const topics =
        /does not allow it for topic slipway\..*give Slipway's user the rights to read, write and create topics slipway\.\*/;
      const none = await refusals(bus);
      expect(none).toEqual({
        publish: expect.stringMatching(topics),
        subscribe: expect.stringMatching(topics),
        trial: expect.stringMatching(topics),
      });

      await give(await listed("topic"));
      await expect
        .poll(() => refusals(bus), { timeout: 30_000 })
        .toEqual({
          publish: "",
          subscribe: expect.stringMatching(
            /user into the consumer group rollback-controller .*the right Read on that group$/,
          ),
          trial: expect.stringMatching(
            /user into the consumer group artifact-registry .*the right Read on that group$/,
          ),
        });

      await give(await listed("group"));
      await expect.poll(() => refusals(bus), { timeout: 60_000 }).toEqual({ publish: "", subscribe: "", trial: "" });
    } finally {
      await bus.close();
    }
  });
});
