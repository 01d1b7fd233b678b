import { randomBytes } from "node:crypto";
import { ociContract, type RealRegistry, realPart, startForeignRegistry } from "@slipway/testkit";
import { afterAll, beforeAll, describe } from "vitest";

const part = realPart("registry");

describe.skipIf(part === undefined).each([
  ["takes passwords itself", false],
  ["has a token server", true],
])("a registry of somebody else that %s", (_how, bearer) => {
  let registry: RealRegistry;
  beforeAll(async () => {
    registry = await startForeignRegistry(part!, { bearer });
  });
  afterAll(() => registry.stop());

  ociContract(() => ({
    ...{ url: registry.url, auth: registry.auth, mounts: true, fixesTags: false, listsReferrers: false },
    repository: async () => `team/app-${randomBytes(6).toString("hex")}`,
  }));
});
