import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type RealPart, startKafka, startRedis, startS3 } from "@slipway/testkit";
import type { Backends } from "./services-apart.contract.ts";

export type BackendParts = Readonly<Record<"kafka" | "redis" | "s3", RealPart | undefined>>;

/** Kafka, Redis with a password, and S3 with a bucket, each empty; as a cluster mounts them: what has a password stands in files. */
export async function broughtBackends({ kafka, redis, s3 }: BackendParts): Promise<Backends> {
  if (kafka === undefined || redis === undefined || s3 === undefined) throw new Error("a part is missing");
  const folder = await mkdtemp(join(tmpdir(), "slipway-apart-real-"));
  const bus = await startKafka(kafka);
  const password = "a-password-of-redis";
  const lock = await startRedis(redis, { password });
  const store = await startS3(s3);
  await store.makeBucket("slipway");
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
}
