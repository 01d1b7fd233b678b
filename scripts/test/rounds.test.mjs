import { afterEach, expect, test, vi } from "vitest";
import { missingBesideParts, roundsOf } from "../real/rounds.mjs";

const givesAddresses = "apps/standalone/test/real-regions.real.test.ts";
const adapter = "packages/lock/test/redis.real.test.ts";
const own = { through: ["unshare"] };
const refused = { through: [], why: "unshare: Operation not permitted" };

afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

test("processes run all in one round, in a network of the run's own", async () => {
  const rounds = await roundsOf([givesAddresses, adapter], { backend: "processes" }, own);

  expect(rounds).toMatchObject([
    { backend: "processes", through: ["unshare"], addresses: true, own: [givesAddresses, adapter] },
  ]);
  expect(missingBesideParts([givesAddresses, adapter], rounds)).toEqual({});
});

test("what needs containers is missing by name where servers are processes, and only where a chosen file needs them", async () => {
  const image = "packages/host/test/deploy/services-image.real.test.ts";
  const database = "packages/testkit/test/containers.real.test.ts";
  const asProcesses = async (files) =>
    missingBesideParts(files, await roundsOf(files, { backend: "processes" }, own)).containers;

  expect(await asProcesses([adapter, image])).toMatch(/no engine answers/);
  expect(await asProcesses([database])).toMatch(/no engine answers/);
  expect(await asProcesses([adapter])).toBeUndefined();
  const inContainers = [{ backend: "containers", own: [image, database] }];
  expect(missingBesideParts([image, database], inContainers)).toEqual({});
});

test("what needs containers has an engine of the run's own after the others, where one can be brought", async () => {
  vi.spyOn(console, "log").mockReturnValue();
  vi.stubEnv("DOCKER_HOST", undefined);
  vi.stubEnv("TESTCONTAINERS_RYUK_DISABLED", undefined);
  const image = "packages/host/test/deploy/services-image.real.test.ts";
  const docker = { program: "/parts/dockerd", also: {} };

  const rounds = await roundsOf([image, adapter], { backend: "processes", docker, folder: "/run/of/tests" }, own);

  expect(rounds).toMatchObject([
    { backend: "processes", through: ["unshare"], own: [adapter] },
    { backend: "containers", own: [image] },
  ]);
  expect(rounds[1].through).toEqual(expect.arrayContaining(["unshare", "/parts/dockerd"]));
  expect(missingBesideParts([image, adapter], rounds)).toEqual({});
});

test("beside a machine's engine, tests that give pods addresses run after the others, as processes in a network of their own", async () => {
  vi.spyOn(console, "log").mockReturnValue();
  vi.stubEnv("TESTCONTAINERS_RYUK_DISABLED", undefined);
  const engine = "unix:///nowhere/docker.sock";

  const rounds = await roundsOf([givesAddresses, adapter], { backend: "containers", engine }, own);

  expect(rounds).toMatchObject([
    { backend: "containers", through: [], own: [adapter] },
    { backend: "processes", through: ["unshare"], addresses: true, own: [givesAddresses] },
  ]);
  expect(process.env.TESTCONTAINERS_RYUK_DISABLED).toBe("true");
});

test("where no network can be made, it is missing as a part is, for tests that need one alone", async () => {
  const all = await roundsOf([givesAddresses, adapter], { backend: "processes" }, refused);
  const without = await roundsOf([adapter], { backend: "processes" }, refused);

  expect(missingBesideParts([givesAddresses, adapter], all)).toEqual({
    network: "no network of the run's own (unshare: Operation not permitted)",
  });
  expect(missingBesideParts([adapter], without)).toEqual({});
});
