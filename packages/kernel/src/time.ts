import type { Brand } from "./brand.ts";

/** RFC 3339 in UTC with milliseconds, so that string order is time order. */
export type Instant = Brand<string, "Instant">;

export type Clock = {
  /** Wall time. Shown and stored, never used for safety. */
  now(): Instant;
  /** Milliseconds that never go backwards. For deadlines inside one process. */
  monotonicMs(): number;
};

export function instant(at: Date | number | string): Instant {
  return new Date(at).toISOString() as Instant;
}

export function addMs(at: Instant, ms: number): Instant {
  return instant(Date.parse(at) + ms);
}

export function msBetween(from: Instant, to: Instant): number {
  return Date.parse(to) - Date.parse(from);
}

export const systemClock: Clock = {
  now: () => instant(Date.now()),
  monotonicMs: () => performance.now(),
};
