import { answering, redisCache } from "@slipway/cache";
import type { Acquired, AcquireRequest, Locks, Target, TargetHolder } from "./port.ts";
import { type PostgresLocksOptions, postgresLocks } from "./postgres.ts";
import type { Queue } from "./ruling.ts";

export type RedisLocksOptions<T> = Omit<PostgresLocksOptions<T>, "onChange"> & {
  /** `redis://` or `rediss://`, perhaps with user and password, which are never logged. */
  readonly url: string;
  /** The greatest age of what Redis says, in the worst case. Default 2,000. */
  readonly keepMs?: number;
};

type Waiting = Extract<Acquired, { kind: "waiting" }>;

/**
 * Locks in Postgres with Redis before them. Redis answers who waits and who holds, which is asked all the time; each grant, and so each epoch, is made
 * in Postgres (docs/adr/0016). So nothing that happens to Redis can give a target to two: killed, wiped or wrong, it only costs speed, and what it says
 * is at most `keepMs` old.
 */
export function redisLocks<T>(options: RedisLocksOptions<T>): Locks & { close(): Promise<void> } {
  const { url, db, log, keepMs = 2_000 } = options;
  const cache = redisCache({ url, urlIn: "SLIPWAY_LOCK_URL", space: "lock", log, keepMs });
  const answer = answering(cache);
  /** Who was told here to wait. Of all others Redis knows nothing, most of whom ask once: they are not asked about. */
  const told = new Set<string>();
  const truth = postgresLocks({ db, log, onChange: (queue) => cache.forget(nameOf(queue)) });

  return {
    ...truth,

    async acquire(request) {
      const [first] = request.targets;
      // Who preempts does not wait; what cannot be one lock is refused in one place.
      if (first === undefined || request.preempt === true || !isOneQueue(request.targets))
        return truth.acquire(request);
      const ask = async () => {
        const found = await truth.acquire(request);
        if (found.kind === "waiting") told.add(request.holder);
        else told.delete(request.holder);
        return found;
      };
      if (!told.has(request.holder)) return ask();
      return answer<Acquired>(nameOf(first), waitingQuestion(request), {
        read: readWaiting,
        ask,
        worthKeeping: ({ kind }) => kind === "waiting",
      });
    },

    async release(holder, regions) {
      told.delete(holder);
      await truth.release(holder, regions);
    },

    async holders(targets) {
      return Promise.all(
        targets.map((target) =>
          answer(nameOf(target), `target ${target.region}`, {
            read: readHolder,
            async ask() {
              const [found] = await truth.holders([target]);
              if (found === undefined) throw new Error("a target that was asked for was not answered");
              return found;
            },
          }),
        ),
      );
    },

    close: cache.close,
  };
}

function nameOf({ service, environment }: Queue): string {
  return `${environment}/${service}`;
}

function isOneQueue(targets: readonly Target[]): boolean {
  return (
    new Set(targets.map(nameOf)).size === 1 && new Set(targets.map(({ region }) => region)).size === targets.length
  );
}

function waitingQuestion({ holder, targets }: AcquireRequest): string {
  return `waiting ${holder} ${targets
    .map(({ region }) => region)
    .sort()
    .join()}`;
}

/** What lies in Redis may be somebody else's: only what looks like our own counts. */
function readWaiting(text: string): Waiting | undefined {
  const found = parse(text) as Partial<Waiting> | undefined;
  return found?.kind === "waiting" && typeof found.behind === "string" && typeof found.since === "string"
    ? (found as Waiting)
    : undefined;
}

function readHolder(text: string): TargetHolder | undefined {
  const found = parse(text) as Partial<TargetHolder> | undefined;
  return typeof found?.epoch === "number" && Array.isArray(found.waiting) && found.target !== undefined
    ? (found as TargetHolder)
    : undefined;
}

function parse(text: string): unknown {
  try {
    const found: unknown = JSON.parse(text);
    return typeof found === "object" && found !== null ? found : undefined;
  } catch {
    return undefined;
  }
}
