import { readdirSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { kafkaBus } from "@slipway/bus";
import type { CloudEvent } from "@slipway/contracts";
import { silentLogger } from "@slipway/sql";
import { type RealKafka, type RealPart, startKafka, startRedis, startS3 } from "@slipway/testkit";
import { eventsIn } from "./events.ts";
import { keeping } from "./kept.ts";

const bucket = "slipway";

/** Kafka, Redis and S3 for one platform, and what lies in them, looked at from outside of it. */
export type RealBackends = {
  readonly kafka: RealKafka;
  /** Of the locks. */
  readonly redis: Awaited<ReturnType<typeof startRedis>>;
  /** Of the views, another one: what is asked and told of locks is counted in theirs. */
  readonly cache: Awaited<ReturnType<typeof startRedis>>;
  readonly s3: Awaited<ReturnType<typeof startS3>>;
  /** What the platform is told. */
  readonly env: Readonly<Record<string, string>>;
  events(topics: readonly string[]): Promise<Readonly<Record<string, readonly CloudEvent[]>>>;
  /** How often Redis was asked since its start: 0 where the platform does without, or nobody had to wait. */
  questions(): Promise<number>;
  /** How often it was told since its start that a lock has changed. */
  changesTold(): Promise<number>;
  /** Deployments of which a view is kept at this moment. */
  viewsKept(): Promise<readonly string[]>;
  /** Paths in the bucket. */
  objects(): readonly string[];
  stop(): Promise<void>;
};

export async function startBackends(
  parts: Readonly<Record<"kafka" | "redis" | "s3", RealPart>>,
): Promise<RealBackends> {
  const { kept, atEnd, stop } = keeping();
  try {
    const kafka = kept(await startKafka(parts.kafka));
    const redis = kept(await startRedis(parts.redis));
    const cache = kept(await startRedis(parts.redis));
    const s3 = kept(await startS3(parts.s3));
    await s3.makeBucket(bucket);
    const bus = kafkaBus({ url: kafka.url, log: silentLogger });
    atEnd(() => bus.close());
    const env = {
      SLIPWAY_BUS_URL: kafka.url,
      SLIPWAY_LOCK_URL: redis.url,
      SLIPWAY_CACHE_URL: cache.url,
      SLIPWAY_OBJECTS_URL: `s3://${bucket}?endpoint=${s3.endpoint}`,
      AWS_ACCESS_KEY_ID: s3.accessKeyId,
      AWS_SECRET_ACCESS_KEY: s3.secretAccessKey,
    };
    return {
      ...{ kafka, redis, cache, s3, env, stop },
      events: (topics) => eventsIn(bus, topics),
      questions: () => callsOf(redis.port, ["eval", "evalsha"]),
      changesTold: () => callsOf(redis.port, ["del"]),
      viewsKept: () => deploymentsIn(cache.port),
      objects: () => readdirSync(join(s3.dir, "buckets", bucket), { recursive: true }).map(String),
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function callsOf(port: number, commands: readonly string[]): Promise<number> {
  const calls = [...(await answerTo(port, "INFO commandstats")).matchAll(/cmdstat_([a-z]+):calls=(\d+)/g)];
  const counted = calls.filter(([, command = ""]) => commands.includes(command));
  return counted.reduce((sum, [, , count]) => sum + Number(count), 0);
}

async function deploymentsIn(port: number): Promise<readonly string[]> {
  return [...(await answerTo(port, "KEYS slipway:deployment:*")).matchAll(/:(D-\d+)\r/g)].map(([, id = ""]) => id);
}

function answerTo(port: number, command: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    const socket = connect(port, "127.0.0.1", () => socket.write(`${command}\r\nQUIT\r\n`));
    socket.once("error", reject);
    socket.on("data", (data) => {
      text += data.toString();
    });
    socket.once("end", () => resolve(text));
  });
}
