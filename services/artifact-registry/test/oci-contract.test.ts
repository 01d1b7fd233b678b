import { randomBytes } from "node:crypto";
import { ociContract } from "@slipway/testkit";
import { afterAll, beforeAll, describe } from "vitest";
import { startRegistry, type TestRegistry } from "./start-registry.ts";

let registry: TestRegistry;
beforeAll(async () => {
  registry = await startRegistry();
});
afterAll(() => registry.close());

describe("our own registry", () => {
  const name = "artifact-registry";
  ociContract(() => ({
    url: registry.host.url,
    auth: { username: name, password: registry.host.tokens.get(name) ?? "" },
    ...{ mounts: true, fixesTags: true, listsReferrers: true },
    // Tags of commits are those that never move.
    fixedTag: "c".repeat(40),
    repository: async () => `team/app-${randomBytes(6).toString("hex")}`,
  }));
});
