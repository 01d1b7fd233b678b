import { join } from "node:path";
import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

const resolve = { conditions: ["@slipway/source"] };
// Tests resolve through `ssr`, global setup through vitest's own environment.
const source = { resolve, ssr: { resolve }, environments: { __vitest__: { resolve } } };

/**
 * Tests start processes from the sources, which strips types of hundreds of files: once for all of them, not by each anew (1.6 s of a core, and 0.7
 * from there on). `npm test` says where.
 */
const compiled = process.env.NODE_COMPILE_CACHE ?? join(import.meta.dirname, "node_modules/.cache/compiled-for-tests");
const env = { NODE_COMPILE_CACHE: compiled };

const real = "{packages,services,apps}/*/test/**/*.real.test.ts";
/**
 * Those that wait most of the time: for servers to start, to be away, to come back; for a mesh that does not follow. The others start a platform with all of
 * its regions and ask much of it: nothing runs beside them.
 */
const realWaiting = ["{packages,services}/*/test/**/*.real.test.ts", "apps/standalone/test/istiod-away.real.test.ts"];

/** Half a minute and more each; those that work beside those that wait. */
const longest = [
  "services-apart.test",
  "executor/test/isolation",
  "watchers-apart",
  "orchestrator/test/canary",
  "build-service/test/dependencies",
  "registries-apart",
  "cannot-start",
  "orchestrator/test/image-wait",
  "local-region-orders",
  "agent/agent.test",
  "orchestrator/test/bad-network",
  "orchestrator/test/released.test",
  "build-service/test/places",
];
/** Those that wait and those that work by turns. */
const longestReal = [
  "istiod-away",
  "clocks-apart.real",
  "deployment-orchestrator/test/region-faults",
  "neighbours-apart.real",
  "versions-apart.real",
  "kafka-killed",
  "services-apart.real",
  "dockerfile-cache",
  "store-network.real",
  "dockerfile.real",
  "prometheus-network.real",
  "kubernetes-contract.real",
];
/** The first two begin and end with nothing running; each of the others leaves what runs around its platform to the next, which adopts it. */
const stories = ["crash", "live", "page", "outage", "hands"].map((name) => `test/story/${name}.test.ts`);

/** What takes longest begins first, so that at the end no core waits for one file; stories in their order. */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const first = [...longestReal, ...longest, "packages/host/test/apart/", ...stories];
    const place = ({ moduleId }: TestSpecification) => {
      const found = first.findIndex((part) => moduleId.includes(part));
      return found < 0 ? first.length : found;
    };
    return (await super.sort(files)).toSorted((a, b) => place(a) - place(b));
  }
}

/** Tests that start platforms: one after the other, each in its time. */
const ofPlatform = (name: string, files: { include: string[]; exclude?: string[] }, setup: string) => ({
  ...source,
  test: {
    ...{ name, ...files, env },
    environment: "node" as const,
    setupFiles: ["packages/testkit/src/seed.ts"],
    pool: "forks" as const,
    maxWorkers: 1,
    isolate: false,
    testTimeout: 600_000,
    hookTimeout: 600_000,
    globalSetup: [`apps/standalone/test/support/${setup}.ts`],
  },
});

/** Tests that bring real servers. Projects of different orders do not run at the same time. */
const ofReal = (
  name: string,
  files: { include: string[]; exclude?: string[] },
  { workers, order }: { workers: number; order: number },
) => ({
  ...source,
  test: {
    ...{ name, ...files, env },
    environment: "node" as const,
    setupFiles: ["packages/testkit/src/seed.ts"],
    pool: "forks" as const,
    maxWorkers: workers,
    sequence: { groupOrder: order },
    testTimeout: 600_000,
    hookTimeout: 1_200_000,
    globalSetup: ["packages/testkit/src/global-setup.ts"],
  },
});

/**
 * unit: pure code, beside its source. integration: needs Postgres or child processes. e2e: the whole platform, each
 * file on a data folder of its own. user: the same, as somebody with a repository and a shell meets it. story: the same on one data folder, in which a story was told before; they run one after the other. real, and
 * real-waiting four at a time before it: need servers that `npm run test:real` brings, and are run by nothing else.
 */
export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        ...source,
        test: {
          name: "unit",
          // Laws run long where the machine is busy; what hangs is found all the same.
          testTimeout: 60_000,
          include: ["{packages,services,apps}/*/src/**/*.test.ts", "scripts/test/**/*.test.mjs"],
          environment: "node",
          setupFiles: ["packages/testkit/src/seed.ts"],
          // What is loaded is loaded once for all files of a worker: a third of the run. Nothing keeps state in modules.
          isolate: false,
        },
      },
      {
        ...source,
        test: {
          ...{ name: "integration", env },
          include: ["{packages,services,apps}/*/test/**/*.test.ts"],
          exclude: ["apps/standalone/test/**", real],
          environment: "node",
          setupFiles: ["packages/testkit/src/seed.ts"],
          pool: "forks",
          // Most of their time they wait for a process, a lease or a deadline: with three a third of two cores was idle.
          maxWorkers: 4,
          isolate: false,
          // Fewer collections of what is young, which were 7% of a worker's time.
          execArgv: ["--max-semi-space-size=64"],
          // A guard against a hang, not a measure: nothing here is expected to take a tenth of it.
          testTimeout: 600_000,
          hookTimeout: 300_000,
          globalSetup: ["packages/testkit/src/global-setup.ts", "apps/cli/test/global-setup.ts"],
        },
      },
      ofPlatform("e2e", { include: ["apps/standalone/test/*.test.ts"], exclude: [real] }, "global-setup"),
      ofPlatform("user", { include: ["apps/standalone/test/user/*.test.ts"] }, "global-setup"),
      ofPlatform("story", { include: ["apps/standalone/test/story/*.test.ts"] }, "story-setup"),
      ofReal("real", { include: [real], exclude: realWaiting }, { workers: 1, order: 1 }),
      ofReal("real-waiting", { include: realWaiting }, { workers: 4, order: 0 }),
    ],
  },
});
