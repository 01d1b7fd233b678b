import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { rolePassword, scramVerifier, verifierMatches } from "./role-password.ts";

const directory = mkdtempSync(join(tmpdir(), "slipway-secrets-"));
afterAll(() => rmSync(directory, { recursive: true }));

test("a role keeps its password, has another one than other roles, and only we may read it", () => {
  const password = rolePassword(directory, "slipway_build");

  expect(rolePassword(directory, "slipway_build")).toBe(password);
  expect(rolePassword(directory, "slipway_registry")).not.toBe(password);
  expect(password.length).toBeGreaterThanOrEqual(32);
  expect(readdirSync(directory).sort()).toEqual(["slipway_build", "slipway_registry"]);
  expect(statSync(join(directory, "slipway_build")).mode & 0o777).toBe(0o600);
});

test("a role's name cannot lead out of the folder", () => {
  expect(() => rolePassword(directory, "../other")).toThrow(/not a role name/);
});

test("the verifier is that of RFC 7677's example", () => {
  const salt = Buffer.from("W22ZaJ0SNY7soEsUEjb6gQ==", "base64");

  const verifier = scramVerifier("pencil", salt, 4096);

  expect(verifier).toBe(
    "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=",
  );
  expect(verifierMatches(verifier, "pencil")).toBe(true);
  expect(verifierMatches(verifier, "pen")).toBe(false);
  expect(verifierMatches(null, "pencil")).toBe(false);
});
