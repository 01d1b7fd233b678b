import { afterEach, expect, test, vi } from "vitest";
import { runPlatform } from "./platform.ts";

afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

test("a variable whose name is misspelt is told before anything starts", async () => {
  // Nothing can start without programs.
  vi.stubEnv("PATH", "");
  vi.stubEnv("SLIPWAY_DATABSE_URL", "postgres://me:hunter2@db/slipway");
  const said: string[] = [];
  vi.spyOn(process.stderr, "write").mockImplementation((text) => said.push(String(text)) > 0);

  expect(await runPlatform([])).toBe(1);

  expect(said[0]).toBe(
    "slipway: SLIPWAY_DATABSE_URL is read by nobody: say SLIPWAY_DATABASE_URL if that is what was meant, or take it away\n",
  );
  expect(said.join("")).not.toContain("hunter2");
});
