import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { realPart, startKafka, startRedis, startS3 } from "@slipway/testkit";
import { describe } from "vitest";
import { servicesApart } from "./services-apart.contract.ts";

const parts = { kafka: realPart("kafka"), redis: realPart("redis"), s3: realPart("versitygw") };

describe.skipIf(Object.values(parts).includes(undefined))("six processes with Kafka, Redis and S3", () => {
  servicesApart(
    async () => {
      const { kafka, redis, s3 } = parts;
      if (kafka === undefined || redis === undefined || s3 === undefined) throw new Error("a part is missing");
      const folder = await mkdtemp(join(tmpdir(), "slipway-apart-real-"));
      const bus = await startKafka(kafka);
      const password = "a-password-of-redis";
      const lock = await startRedis(redis, { password });
      const store = await startS3(s3);
      await store.makeBucket("slipway");
      // As a cluster mounts them: what has a password stands in files.
      const url = new URL(lock.url);
      url.password = password;
      await writeFile(join(folder, "lock-url"), url.href);
      const credentials = `aws_access_key_id = ${store.accessKeyId}\naws_secret_access_key = ${store.secretAccessKey}\n`;
      await writeFile(join(folder, "credentials"), `[default]\n${credentials}`);
      return {
        env: { SLIPWAY_BUS_URL: bus.url, SLIPWAY_LOCK_URL_FILE: join(folder, "lock-url") },
        objects: {
          SLIPWAY_OBJECTS_URL: `s3://slipway?endpoint=${store.endpoint}&region=us-east-1`,
          AWS_SHARED_CREDENTIALS_FILE: join(folder, "credentials"),
        },
        secrets: [password, store.secretAccessKey],
        store: { kill: () => store.kill(), start: () => store.start() },
        async stop() {
          await Promise.all([bus.stop(), lock.stop(), store.stop()]);
          await rm(folder, { recursive: true });
        },
      };
    },
    { store: true, production: true },
  );
});
