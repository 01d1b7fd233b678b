import { addMs, type Clock, type Instant, instant } from "@slipway/kernel";

export type FakeClock = Clock & {
  /** Moves wall and monotonic time forward. */
  advance(ms: number): void;
};

/** A clock that moves only when told. */
export function fakeClock(start: Instant = instant("2026-01-05T09:00:00.000Z")): FakeClock {
  let elapsedMs = 0;
  return {
    now: () => addMs(start, elapsedMs),
    monotonicMs: () => elapsedMs,
    advance(ms) {
      if (ms < 0) throw new RangeError("time does not go backwards");
      elapsedMs += ms;
    },
  };
}
