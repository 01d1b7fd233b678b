import { ProblemError } from "@slipway/contracts";
import { expect, test } from "vitest";
import type { Answer } from "./answers.ts";
import { attempts } from "./retry.ts";

const rule = { random: () => 0 };
const answer = (status: number, text = "", retryAfter?: string): Answer => ({ status, text, retryAfter });

/** Plays a script: a number is answered with that status, an Error is thrown. The last line repeats. */
function script(...lines: (Answer | Error)[]) {
  const state = { sent: 0 };
  return {
    state,
    send: async () => {
      const line = lines[Math.min(state.sent, lines.length - 1)]!;
      state.sent += 1;
      if (line instanceof Error) throw line;
      return line;
    },
  };
}

const options = { what: "GET /x", repeatable: true, timeoutMs: 5_000, signal: undefined };

test("502, 503, broken connections and calls still in flight are repeated until an answer stands", async () => {
  const inFlight = answer(409, '{"code":"idempotency.in_flight"}', "0");
  const { state, send } = script(answer(502), answer(503), new Error("socket hang up"), inFlight, answer(200));

  expect((await attempts(rule, options, send)).status).toBe(200);
  expect(state.sent).toBe(5);
});

test.each([200, 400, 404, 409, 422, 500, 504])("%d stands at once", async (status) => {
  const { state, send } = script(answer(status));

  expect((await attempts(rule, options, send)).status).toBe(status);
  expect(state.sent).toBe(1);
});

test("what is not repeatable is sent once, whatever happens to it", async () => {
  const broken = script(new Error("reset"));
  const busy = script(answer(503));

  await expect(attempts(rule, { ...options, repeatable: false }, broken.send)).rejects.toMatchObject({
    code: "unavailable",
  });
  expect((await attempts(rule, { ...options, repeatable: false }, busy.send)).status).toBe(503);
  expect([broken.state.sent, busy.state.sent]).toEqual([1, 1]);
});

test("it waits as long as the server asks, but never past the deadline", async () => {
  const { state, send } = script(answer(503, "", "60"));
  const began = performance.now();

  expect((await attempts(rule, { ...options, timeoutMs: 200 }, send)).status).toBe(503);
  expect(state.sent).toBe(1);
  expect(performance.now() - began).toBeLessThan(150);
});

test("a server that cannot be reached is `unavailable` once time is up", async () => {
  const { state, send } = script(new Error("connect ECONNREFUSED"));
  const outcome = await attempts({ random: () => 1 }, { ...options, timeoutMs: 300 }, send).catch(
    (error: unknown) => error,
  );

  expect(outcome).toBeInstanceOf(ProblemError);
  expect(outcome).toMatchObject({ code: "unavailable", message: expect.stringContaining("ECONNREFUSED") });
  expect(state.sent).toBeGreaterThan(1);
});

test("a caller that aborts gets its own reason", async () => {
  const reason = new Error("changed my mind");
  const { send } = script(new Error("never"));

  await expect(attempts(rule, { ...options, signal: AbortSignal.abort(reason) }, send)).rejects.toBe(reason);
});
