export { type Answering, answering } from "./answering.ts";
export { memoryCache } from "./memory.ts";
export { noCache } from "./none.ts";
export type { Cache, Look } from "./port.ts";
export { redisCache } from "./redis.ts";
export { redisProblem } from "./redis-problem.ts";
