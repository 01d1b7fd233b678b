import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { mostAttempts, pauseBetweenMs, retryAfterMs, ruleOn, type SendResult } from "./delivery.ts";

describe("what becomes of a message", () => {
  test("accepted: delivered, and the channel rests a second", () => {
    expect(ruleOn({ kind: "accepted" }, 1)).toEqual({
      state: "delivered",
      reason: null,
      retryAfterMs: 0,
      pauseMs: 1_000,
    });
  });

  test("429: the whole channel rests for as long as it was told", () => {
    expect(ruleOn({ kind: "slow_down", afterMs: 30_000 }, 1)).toMatchObject({
      state: "pending",
      retryAfterMs: 30_000,
      pauseMs: 30_000,
    });
  });

  test("no answer: tried again later and later, every five minutes in the end", () => {
    const waits = [1, 2, 3, 9, 50].map((n) => ruleOn({ kind: "unavailable", reason: "x" }, n).retryAfterMs);
    expect(waits).toEqual([1_000, 2_000, 4_000, 256_000, 300_000]);
  });

  test("refused for good: failed, with what was said", () => {
    expect(ruleOn({ kind: "refused", reason: "HTTP 404 no_service" }, 3)).toMatchObject({
      state: "failed",
      reason: "HTTP 404 no_service",
    });
  });

  test("no message is tried for ever, and no channel is asked more than once a second", () => {
    const result: fc.Arbitrary<SendResult> = fc.oneof(
      fc.constant<SendResult>({ kind: "accepted" }),
      fc.record({ kind: fc.constant("slow_down" as const), afterMs: fc.integer({ min: 0, max: 1e9 }) }),
      fc.record({ kind: fc.constant("unavailable" as const), reason: fc.string() }),
      fc.record({ kind: fc.constant("refused" as const), reason: fc.string() }),
    );
    fc.assert(
      fc.property(result, fc.integer({ min: 1, max: 2 * mostAttempts }), (one, attempts) => {
        const ruling = ruleOn(one, attempts);
        expect(ruling.pauseMs).toBeGreaterThanOrEqual(pauseBetweenMs);
        if (attempts >= mostAttempts) expect(ruling.state).not.toBe("pending");
        if (ruling.state === "pending") expect(ruling.retryAfterMs).toBeGreaterThanOrEqual(1_000);
      }),
    );
  });
});

test("Retry-After is read as seconds or as a date, and is a minute otherwise", () => {
  const now = Date.parse("2026-01-01T00:00:00Z");

  expect(retryAfterMs("30", now)).toBe(30_000);
  expect(retryAfterMs("Thu, 01 Jan 2026 00:00:10 GMT", now)).toBe(10_000);
  expect(retryAfterMs("Thu, 01 Jan 2025 00:00:00 GMT", now)).toBe(0);
  expect([null, "", "soon", "-5x"].map((header) => retryAfterMs(header, now))).toEqual(Array(4).fill(60_000));
});
