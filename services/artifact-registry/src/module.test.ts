import { ConfigError, readConfig } from "@slipway/host";
import { expect, test } from "vitest";
import { artifactRegistry } from "./module.ts";

test("a file of registries that cannot be used is named with all other problems of the environment", () => {
  const environment = { SLIPWAY_PORT: "eighty", SLIPWAY_EXTERNAL_REGISTRIES: "/nowhere.json" };

  const problems = (() => {
    try {
      return readConfig(environment, [artifactRegistry]);
    } catch (error) {
      return error instanceof ConfigError ? error.problems : error;
    }
  })();

  expect(problems).toEqual([
    { variable: "SLIPWAY_PORT", message: "must be a number" },
    {
      variable: "SLIPWAY_EXTERNAL_REGISTRIES",
      message: expect.stringMatching(/^\/nowhere\.json.* cannot be read \(ENOENT\): put it there/),
    },
  ]);
});
