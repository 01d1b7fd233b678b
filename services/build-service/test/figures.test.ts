import { until } from "@slipway/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type TestRepository, testRepository } from "./git-repository.ts";
import { type Platform, startBuildService } from "./start-build-service.ts";

let platform: Platform;
let small: TestRepository;
beforeAll(async () => {
  platform = await startBuildService({ SLIPWAY_MAX_BUILDS: "1" });
  small = await testRepository(platform.folder, "small", false);
  await platform.register("small", small.url);
});
afterAll(() => platform.close());

const slow = `version: 1
service: small
pipeline:
  wait: { run: sleep 600 }
image: { copy: [out], command: [node, out/main.js] }
`;

test("builds that run and those that wait for a place are counted, and what became of the others", async () => {
  const build = async (note: string) => {
    const sha = await small.commit({ "slipway.yaml": slow, note });
    return platform.buildOf(await platform.push({ url: small.url, sha }));
  };
  const scrape = async () => (await platform.fetch("/metrics")).text();
  const scrapeWith = (line: string) =>
    until(
      async () => {
        const text = await scrape();
        return text.includes(line) ? text : undefined;
      },
      { what: line },
    );
  const builds = [await build("a")];
  await scrapeWith('slipway_builds{phase="running"} 1');
  builds.push(await build("b"));
  const page = await scrapeWith('slipway_builds{phase="queued"} 1');

  expect(page).toContain("slipway_build_places 1");
  expect(Number(/slipway_builds_oldest_seconds\{phase="queued"\} (\S+)/.exec(page)?.[1])).toBeGreaterThan(0);
  for (const id of builds)
    await platform.fetch(`/api/v1/builds/${id}/cancel`, { method: "POST", as: "deployer", body: {} });
  await scrapeWith('slipway_build_events_total{type="cancelled"} 2');
  expect(await scrape()).toContain('slipway_builds{phase="running"} 0');
});
