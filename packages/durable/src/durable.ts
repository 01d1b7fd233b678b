import type { Durable, DurableOptions } from "./types.ts";

export function createDurable<T>(options: DurableOptions<T>): Durable {
  throw new Error(`not written yet: ${options.machines.length}`);
}
