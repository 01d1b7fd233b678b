import { homedir } from "node:os";
import { expect, test } from "vitest";
import { userCache } from "./user-cache.ts";

test.each([{}, { XDG_CACHE_HOME: "" }, { XDG_CACHE_HOME: "/var/cache/me" }])(
  "programs and scripts agree where the user's cache is with %o",
  async (env) => {
    const script: { userCache: typeof userCache } = await import(
      new URL("../../../scripts/user-cache.mjs", import.meta.url).href
    );

    expect(script.userCache("node", env)).toBe(userCache("node", env));
    expect(userCache("node", env)).toBe(`${env.XDG_CACHE_HOME || `${homedir()}/.cache`}/slipway/node`);
  },
);
