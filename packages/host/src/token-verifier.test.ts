import { randomBytes } from "node:crypto";
import { silentLogger } from "@slipway/sql";
import { fakeClock } from "@slipway/testkit";
import { expect, test } from "vitest";
import type { TokenRow } from "./token-rows.ts";
import { tokenVerifier } from "./token-verifier.ts";
import { formatToken, hashToken } from "./tokens.ts";

/** A database of one token that can be away, changed, and asked how often it was looked at. */
function world() {
  const token = formatToken(randomBytes(30));
  const clock = fakeClock();
  const state = {
    away: false,
    looks: 0,
    row: { name: "ann", roles: ["viewer"], hash: hashToken(token), expires_in_ms: null, revoked_at: null } as
      | TokenRow
      | undefined,
  };
  const verifier = tokenVerifier({
    clock,
    log: silentLogger,
    lookMs: 50,
    find: async () => {
      state.looks += 1;
      if (state.away) throw new Error("connection refused");
      return state.row;
    },
  });
  return { token, clock, state, verify: () => verifier.verify(token), verifier };
}

test("an answer of the database stands for 30 seconds", async () => {
  const { clock, state, verify } = world();

  expect(await verify()).toEqual({ name: "ann", roles: ["viewer"] });
  clock.advance(29_000);
  await verify();
  expect(state.looks).toBe(1);
  clock.advance(2_000);
  await verify();
  expect(state.looks).toBe(2);
});

test("a revoked token is refused once the answer is old", async () => {
  const { clock, state, verify } = world();
  await verify();
  state.row = { ...state.row!, revoked_at: clock.now() };
  clock.advance(31_000);

  await expect(verify()).rejects.toMatchObject({ code: "auth.invalid" });
});

test("a token expires when the database says so, cached or not", async () => {
  const { clock, state, verify } = world();
  const refused = { code: "auth.invalid", message: expect.stringContaining("expired") };
  state.row = { ...state.row!, expires_in_ms: 10_000 };
  await verify();
  clock.advance(9_999);
  await verify();
  clock.advance(1);
  await expect(verify()).rejects.toMatchObject(refused);

  state.row = { ...state.row!, expires_in_ms: -1 };
  clock.advance(30_000);
  await expect(verify()).rejects.toMatchObject(refused);
});

test("while the database is away a known token is good for a day, and asking does not pile up", async () => {
  const { clock, state, verify } = world();
  await verify();
  state.away = true;
  clock.advance(3_600_000);
  await verify();
  await verify();
  expect(state.looks).toBe(2);
  clock.advance(2_001);
  await verify();
  expect(state.looks).toBe(3);

  clock.advance(86_400_000);
  await expect(verify()).rejects.toMatchObject({ code: "unavailable" });
});

test("what was never seen cannot be checked while the database is away", async () => {
  const { state, verify } = world();
  state.away = true;

  await expect(verify()).rejects.toMatchObject({ code: "unavailable" });
});

test("the right kid with another secret is refused", async () => {
  const { state, verify } = world();
  state.row = { ...state.row!, hash: hashToken("another") };

  await expect(verify()).rejects.toMatchObject({ code: "auth.invalid" });
});

test("a hundred requests at once are one look", async () => {
  const { state, verify } = world();

  await Promise.all(Array.from({ length: 100 }, () => verify()));
  expect(state.looks).toBe(1);
});

test("a database that does not answer counts as away", async () => {
  const clock = fakeClock();
  const verifier = tokenVerifier({ clock, log: silentLogger, lookMs: 20, find: () => new Promise(() => {}) });

  await expect(verifier.verify(formatToken(randomBytes(30)))).rejects.toMatchObject({ code: "unavailable" });
});
