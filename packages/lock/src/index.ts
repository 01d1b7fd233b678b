export type { Acquired, AcquireRequest, Locks, Target, TargetHolder } from "./port.ts";
export { postgresLocks } from "./postgres.ts";
export { redisLocks } from "./redis.ts";
