import { setTimeout as pause } from "node:timers/promises";
import { ProblemError } from "@slipway/contracts";
import { type Answer, problemOf } from "./answers.ts";
import { waitingFor } from "./waiting.ts";

export type RetryRule = { readonly random: () => number };

export type Attempt = { readonly signal: AbortSignal };

export type AttemptOptions = {
  readonly what: string;
  /** False: one attempt, whatever happens to it. */
  readonly repeatable: boolean;
  /** Of all attempts together. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
  /** Told why it is sent again, where that takes longer than a moment. */
  readonly onWait?: ((why: string) => void) | undefined;
};

/**
 * A connection that was kept alive may be dead, which nobody says: what may be repeated is, after this part of its time, and has the rest of it on another
 * connection, so that a server that is slow and no more has most of the time to answer.
 */
const firstAttempt = 0.25;

/**
 * Sends until an answer stands: 502, 503, "still being handled", broken connections and a silent first one are repeated with full jitter
 * (50 ms doubling to 1 s, or what Retry-After says), never past the deadline. Throws ProblemError `unavailable` when there
 * was no answer at all, and the caller's own reason when it aborted.
 */
export async function attempts<A extends Answer>(
  rule: RetryRule,
  options: AttemptOptions,
  send: (attempt: Attempt) => Promise<A>,
): Promise<A> {
  const waiting = waitingFor(options.onWait);
  try {
    return await untilOneStands(rule, options, send, waiting.because);
  } finally {
    waiting.end();
  }
}

async function untilOneStands<A extends Answer>(
  rule: RetryRule,
  options: AttemptOptions,
  send: (attempt: Attempt) => Promise<A>,
  because: (why: string) => void,
): Promise<A> {
  const deadline = performance.now() + options.timeoutMs;
  const timeout = AbortSignal.timeout(options.timeoutMs);
  const signal = options.signal === undefined ? timeout : AbortSignal.any([timeout, options.signal]);
  for (let count = 0; ; count += 1) {
    const limited = options.repeatable && count === 0;
    const within = limited ? AbortSignal.any([signal, AbortSignal.timeout(options.timeoutMs * firstAttempt)]) : signal;
    const outcome = await attempt(send, within);
    if (options.signal?.aborted) throw options.signal.reason;
    const last = !options.repeatable || !worthRepeating(outcome);
    const waitMs = last ? 0 : delayMs(rule, outcome, count);
    if (last || performance.now() + waitMs >= deadline) return settle(outcome, options);
    because(reasonOf(outcome, options));
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

function settle<A>(outcome: Outcome<A>, options: AttemptOptions): A {
  if ("answer" in outcome) return outcome.answer;
  const { error } = outcome;
  if (error instanceof ProblemError || error instanceof TypeError) throw error;
  const { what, timeoutMs } = options;
  const detail = isSilence(error) ? `${what} was not answered within ${timeoutMs / 1_000} s` : unreached(what, error);
  throw new ProblemError("unavailable", detail, { cause: error });
}

function reasonOf(outcome: Outcome<Answer>, { what }: AttemptOptions): string {
  if ("answer" in outcome) return problemOf(outcome.answer, what).message;
  return isSilence(outcome.error) ? `${what} has not been answered yet` : unreached(what, outcome.error);
}

function isSilence(error: unknown): boolean {
  return error instanceof Error && error.name === "TimeoutError";
}

/** Why it could not be reached, in the words of whatever broke. */
export function unreached(what: string, error: unknown): string {
  return `${what} could not be reached: ${error instanceof Error ? error.message || error.name : String(error)}`;
}
