export { type BusWorld, busContract, freshName, testEvent } from "./bus.contract.ts";
export { clusterContract } from "./cluster.contract.ts";
export type { ClusterWorld } from "./cluster-stage.ts";
export { type FakeClock, fakeClock } from "./fake-clock.ts";
export { type LockWorld, lockContract } from "./lock.contract.ts";
export { objectsContract } from "./objects.contract.ts";
export { type SeededRandom, seededRandom } from "./seeded-random.ts";
export { type TestDatabase, testDatabase } from "./test-database.ts";
export { type UntilOptions, until } from "./until.ts";
