import type { Cache } from "./port.ts";

/** Keeps nothing: everything is asked each time. */
export const noCache: Cache = {
  look: async () => undefined,
  keep: async () => undefined,
  forget: async () => undefined,
  close: async () => undefined,
};
