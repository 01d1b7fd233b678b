export type { Acquired, AcquireRequest, Locks, Target, TargetHolder } from "./port.ts";
export { postgresLocks } from "./postgres.ts";
