import { defineConfig } from "vitest/config";
const resolve = { conditions: ["@slipway/source"] };
const source = { resolve, ssr: { resolve }, environments: { __vitest__: { resolve } } };
export default defineConfig({ ...source, root: "/work/wt/badinput", test: { include: ["apps/standalone/test/**/*.test.ts"], setupFiles: ["packages/testkit/src/seed.ts"], pool: "forks", maxWorkers: 1, testTimeout: 600_000, hookTimeout: 600_000 } });
