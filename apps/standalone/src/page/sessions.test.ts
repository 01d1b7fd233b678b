import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openSessions } from "./sessions.ts";

const keyFile = () => join(mkdtempSync(join(tmpdir(), "page-")), "page-key");

test("a code signs in once, and not after a day", () => {
  let now = 0;
  const sessions = openSessions(keyFile(), () => now);
  const first = sessions.code();

  expect([sessions.useCode(first), sessions.useCode(first), sessions.useCode("made up")]).toEqual([true, false, false]);
  const second = sessions.code();
  now = 24 * 3_600_000;
  expect(sessions.useCode(second)).toBe(false);
});

test("an address that is told again is the same one until somebody has used it, or it has grown old", () => {
  let now = 0;
  const sessions = openSessions(keyFile(), () => now);
  const told = sessions.code();

  expect(sessions.code()).toBe(told);
  sessions.useCode(told);
  const next = sessions.code();
  expect(next).not.toBe(told);
  now = 13 * 3_600_000;
  expect(sessions.code()).not.toBe(next);
});

test("a session outlives the process and ends after twelve hours", () => {
  let now = 1_000;
  const file = keyFile();
  const cookie = openSessions(file, () => now).issue("ship");
  const later = openSessions(file, () => now);

  expect(later.read(cookie)).toEqual({ may: "ship" });
  now += 12 * 3_600_000;
  expect(later.read(cookie)).toBeUndefined();
});

test("a session that somebody else signed, widened or prolonged is none", () => {
  const sessions = openSessions(keyFile(), () => 0);
  const cookie = sessions.issue("look");
  const [may, until, signature] = cookie.split(".");

  expect(sessions.read(openSessions(keyFile(), () => 0).issue("look"))).toBeUndefined();
  expect(sessions.read(`ship.${until}.${signature}`)).toBeUndefined();
  expect(sessions.read(`${may}.${until}0.${signature}`)).toBeUndefined();
  expect(sessions.read(`${may}.${until}.`)).toBeUndefined();
  expect(sessions.read(undefined)).toBeUndefined();
});
