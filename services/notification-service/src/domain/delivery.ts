/** What the channel said to one message. */
export type SendResult =
  | { readonly kind: "accepted" }
  /** It says when to come again (429), which holds for the whole channel. */
  | { readonly kind: "slow_down"; readonly afterMs: number }
  | { readonly kind: "unavailable"; readonly reason: string }
  /** It will never take this message. */
  | { readonly kind: "refused"; readonly reason: string };

/** What becomes of the row, and when the channel may be used again. */
export type Ruling = {
  readonly state: "pending" | "delivered" | "failed";
  readonly reason: string | null;
  /** Of this message; counts from now. */
  readonly retryAfterMs: number;
  /** Of the channel: one message a second at most. */
  readonly pauseMs: number;
};

export const pauseBetweenMs = 1_000;
/** With the back-off below: about two days. */
export const mostAttempts = 600;
const longestRetryMs = 300_000;

/** `attempts` counts the one just made. Messages of a channel keep their order, so the first one's wait is everybody's. */
export function ruleOn(result: SendResult, attempts: number): Ruling {
  switch (result.kind) {
    case "accepted":
      return { state: "delivered", reason: null, retryAfterMs: 0, pauseMs: pauseBetweenMs };
    case "slow_down": {
      const afterMs = Math.max(pauseBetweenMs, Math.min(result.afterMs, 3_600_000));
      return orGiveUp("the channel asks to slow down", attempts, afterMs, afterMs);
    }
    case "unavailable": {
      const afterMs = Math.min(longestRetryMs, 1_000 * 2 ** Math.min(attempts - 1, 20));
      return orGiveUp(result.reason, attempts, afterMs, pauseBetweenMs);
    }
    case "refused":
      return { state: "failed", reason: result.reason, retryAfterMs: 0, pauseMs: pauseBetweenMs };
  }
}

function orGiveUp(reason: string, attempts: number, retryAfterMs: number, pauseMs: number): Ruling {
  const state = attempts >= mostAttempts ? "failed" : "pending";
  return { state, reason, retryAfterMs, pauseMs };
}

/** `Retry-After` of a 429: seconds or an HTTP date; a minute when it cannot be read. */
export function retryAfterMs(header: string | null, nowMs: number): number {
  if (header !== null && /^\d{1,6}$/.test(header.trim())) return Number(header) * 1_000;
  const at = header === null ? Number.NaN : Date.parse(header);
  return Number.isNaN(at) ? 60_000 : Math.max(0, at - nowMs);
}
