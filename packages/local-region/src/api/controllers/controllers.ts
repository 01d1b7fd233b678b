import type { Region } from "../region.ts";

export type Controllers = { stop(): Promise<void> };

export function startControllers(_region: Region): Controllers {
  return { stop: async () => undefined };
}
