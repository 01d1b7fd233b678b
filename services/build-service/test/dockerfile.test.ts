import { afterAll, beforeAll, expect, test } from "vitest";
import { type TestRepository, testRepository } from "./git-repository.ts";
import { type Platform, startBuildService } from "./start-build-service.ts";

let platform: Platform;
let small: TestRepository;
beforeAll(async () => {
  platform = await startBuildService();
  small = await testRepository(platform.folder, "small", false);
  await platform.register("small", small.url);
});
afterAll(() => platform.close());

async function build(files: Record<string, string | null>) {
  const sha = await small.commit({ Dockerfile: "FROM scratch\nCOPY Dockerfile /\n", ...files });
  const id = await platform.buildOf(await platform.push({ url: small.url, sha }));
  return { ...(await platform.ended(id)), log: await platform.log(id) };
}

test("a step that builds a Dockerfile fails on a machine, and says where it would not and what else can be done", async () => {
  const file = "version: 1\nservice: small\npipeline:\n  container: { uses: dockerfile }\nimage: { from: container }\n";

  const { status, reason, log } = await build({ "slipway.yaml": file });

  expect(status).toBe("FAILED");
  expect(reason).toMatch(
    /^step container: no Dockerfile is built here: that takes builds on Kubernetes .*slipway artifacts add IMAGE@DIGEST/,
  );
  expect(log).toContain("container | $ uses dockerfile\n");
});

test("a commit with a Dockerfile and nothing else is refused there with both ways out", async () => {
  const { status, reason, log } = await build({ "slipway.yaml": null });

  expect(status).toBe("FAILED");
  expect(reason).toMatch(/there is a Dockerfile and nothing else .* built on Kubernetes, where there is BuildKit/);
  expect(log).toMatch(/slipway artifacts add[\s\S]*uses: dockerfile, network: registries/);
});
