import { randomUUID } from "node:crypto";
import { certificateTrouble } from "@slipway/kernel";
import type { Redis } from "ioredis";
import { openRedis } from "./redis-connection.ts";
import { fieldOf, keepScript, keyOf, lookScript } from "./redis-scripts.ts";

/** A Redis, and the variable that names it: what is wrong is corrected there. */
export type RedisAt = { readonly url: string; readonly urlIn: string };

/** Why Redis at this URL is of no use, as a sentence that says what to do; undefined when it is well. */
export async function redisProblem({ url, urlIn }: RedisAt): Promise<string | undefined> {
  const { host } = new URL(url);
  const { redis, lastError } = await openRedis(url, { once: true });
  try {
    const info = await redis.info("server");
    const mode = /^(?:redis|server)_mode:(\w+)/m.exec(info)?.[1];
    if (mode === "cluster") return inCluster(host, urlIn);
    if (mode === "sentinel")
      return `what listens at ${host} is a Sentinel, which nobody asks here: name the primary itself, or an address that follows it, in ${urlIn}`;
    const version = /redis_version:(\d+)\.(\d+)/.exec(info);
    const tooOld = version !== null && Number(version[1]) < 6;
    if (tooOld)
      return `Redis at ${host} is ${version[1]}.${version[2]}: upgrade it to 6.0 or later, or name another in ${urlIn}`;
    await useOnce(redis);
    return undefined;
  } catch (error) {
    return redisSentence(lastError() ?? error, host, urlIn);
  } finally {
    redis.disconnect();
  }
}

/** The commands of a cache, on a key of their own that is gone in a second: a user may have the right to some of them. */
async function useOnce(redis: Redis): Promise<void> {
  const [key, edition, field] = [keyOf("probe", randomUUID()), randomUUID(), fieldOf("probe")];
  await redis.eval(lookScript, 1, key, field, edition, "1000");
  await redis.eval(keepScript, 1, key, edition, field, "1");
  await redis.del(key);
}

type Remedy = (host: string, urlIn: string) => string;

/** Keys lie on several nodes there, and only one is asked. */
const inCluster: Remedy = (host, urlIn) =>
  `Redis at ${host} runs in cluster mode, which is not used here: name a single one, or a primary behind one address, in ${urlIn}`;

const remedies: readonly (readonly [RegExp, Remedy])[] = [
  [
    /WRONGPASS|invalid password|NOAUTH/i,
    (host, urlIn) => `Redis at ${host} refuses the user and password of ${urlIn}: correct them there`,
  ],
  [
    /NOPERM/,
    (host, urlIn) =>
      `the Redis user of ${urlIn} may not do at ${host} what is needed: allow it EVAL, HGET, HSET, PEXPIRE, DEL and INFO on keys slipway:*`,
  ],
  [/MOVED \d|\bASK \d|CLUSTERDOWN|CROSSSLOT/, inCluster],
  [
    /\bOOM\b/,
    (host) =>
      `Redis at ${host} has no memory left for what is to be kept: raise its maxmemory, or set maxmemory-policy allkeys-lru`,
  ],
  [/\bLOADING\b/, (host) => `Redis at ${host} still loads what it has on its disk: wait until it has`],
  [
    /MISCONF/,
    (host) =>
      `Redis at ${host} takes no writes since it cannot save to its disk: see its log, and make room there, or switch saving off, which is not needed here (save "")`,
  ],
  [
    /MASTERDOWN/,
    (host, urlIn) =>
      `Redis at ${host} is a replica that has lost its primary: name the primary in ${urlIn}, or bring it back`,
  ],
  [
    /NOREPLICAS/,
    (host) =>
      `Redis at ${host} takes no writes for want of replicas: bring them back, or lower its min-replicas-to-write`,
  ],
  [
    /unknown command/i,
    (host, urlIn) =>
      `Redis at ${host} does not have a command that is needed (EVAL, HGET, HSET, PEXPIRE, DEL, INFO): take its rename-command away, or name another Redis in ${urlIn}`,
  ],
  [
    /max number of clients/,
    (host) => `Redis at ${host} has no connection left: raise its maxclients, or see who else uses it`,
  ],
  [/ECONNREFUSED/, (host, urlIn) => `nothing listens at ${host}: start Redis, or correct host and port in ${urlIn}`],
  [/ENOTFOUND|EAI_AGAIN/, (host, urlIn) => `the host of ${host} is not known: correct ${urlIn}`],
  // A Redis without TLS waits for ever for the end of what it takes for a command; a command is refused while it does.
  [
    /ETIMEDOUT|timed out|isn't writeable/,
    (host, urlIn) =>
      `nothing answers in time at ${host}: correct host and port in ${urlIn}, and say redis://, or rediss:// for TLS`,
  ],
  [
    /SSL|TLS|EPROTO/i,
    (host, urlIn) => `no TLS connection with ${host} can be made: rediss:// in ${urlIn} needs a server that speaks TLS`,
  ],
  [
    /ECONNRESET|EPIPE|Connection is closed/,
    (host, urlIn) =>
      `Redis at ${host} broke the connection off: say rediss:// in ${urlIn} where it speaks TLS, else see its own log`,
  ],
  [/Protocol error|unexpected/i, (host, urlIn) => `what listens at ${host} is not Redis: correct ${urlIn}`],
  [/READONLY/, (host, urlIn) => `Redis at ${host} is a replica: name the primary in ${urlIn}`],
];

/** Never holds more of the URL than its host. */
export function redisSentence(error: unknown, host: string, urlIn: string): string {
  const text = error instanceof Error ? `${"code" in error ? String(error.code) : ""} ${error.message}` : String(error);
  const untrusted = certificateTrouble(error, {
    certificate: `the certificate of Redis at ${host}`,
    rename: `name it in ${urlIn} as its certificate does`,
    trust: `give its authority to this process (NODE_EXTRA_CA_CERTS), or correct ${urlIn}`,
  });
  if (untrusted !== undefined) return untrusted;
  const known = remedies.find(([pattern]) => pattern.test(text));
  return (
    known?.[1](host, urlIn) ??
    `Redis at ${host} does not answer (${error instanceof Error ? error.message : "no reason given"})`
  );
}
