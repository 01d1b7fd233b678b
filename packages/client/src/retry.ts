import { setTimeout as pause } from "node:timers/promises";
import { ProblemError } from "@slipway/contracts";
import type { Answer } from "./answers.ts";

export type RetryRule = { readonly random: () => number };

export type Attempt = { readonly signal: AbortSignal };

export type AttemptOptions = {
  readonly what: string;
  /** False: one attempt, whatever happens to it. */
  readonly repeatable: boolean;
  /** Of all attempts together. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
};

/**
 * Sends until an answer stands: 502, 503, "still being handled" and broken connections are repeated with full jitter
 * (50 ms doubling to 1 s, or what Retry-After says), never past the deadline. Throws ProblemError `unavailable` when there
 * was no answer at all, and the caller's own reason when it aborted.
 */
export async function attempts<A extends Answer>(
  rule: RetryRule,
  options: AttemptOptions,
  send: (attempt: Attempt) => Promise<A>,
): Promise<A> {
  const deadline = performance.now() + options.timeoutMs;
  const timeout = AbortSignal.timeout(options.timeoutMs);
  const signal = options.signal === undefined ? timeout : AbortSignal.any([timeout, options.signal]);
  for (let count = 0; ; count += 1) {
    const outcome = await attempt(send, signal);
    if (options.signal?.aborted) throw options.signal.reason;
    const last = !options.repeatable || !worthRepeating(outcome);
    const waitMs = last ? 0 : delayMs(rule, outcome, count);
    if (last || performance.now() + waitMs >= deadline) return settle(outcome, options.what);
    await pause(waitMs, undefined, { signal }).catch(() => undefined);
  }
}

type Outcome<A> = { readonly answer: A } | { readonly error: unknown };

async function attempt<A>(send: (attempt: Attempt) => Promise<A>, signal: AbortSignal): Promise<Outcome<A>> {
  try {
    return { answer: await send({ signal }) };
  } catch (error) {
    return { error };
  }
}

function worthRepeating(outcome: Outcome<Answer>): boolean {
  if ("error" in outcome) return !(outcome.error instanceof TypeError) && !(outcome.error instanceof ProblemError);
  const { status, text } = outcome.answer;
  return status === 502 || status === 503 || (status === 409 && text.includes('"idempotency.in_flight"'));
}

function delayMs(rule: RetryRule, outcome: Outcome<Answer>, count: number): number {
  const asked = "answer" in outcome ? Number(outcome.answer.retryAfter ?? Number.NaN) : Number.NaN;
  if (Number.isFinite(asked) && asked >= 0) return asked * 1_000 + rule.random() * 100;
  return rule.random() * Math.min(1_000, 50 * 2 ** count);
}

function settle<A>(outcome: Outcome<A>, what: string): A {
  if ("answer" in outcome) return outcome.answer;
  const { error } = outcome;
  if (error instanceof ProblemError || error instanceof TypeError) throw error;
  const reason = error instanceof Error ? error.message || error.name : String(error);
  throw new ProblemError("unavailable", `${what} could not be reached: ${reason}`, { cause: error });
}
