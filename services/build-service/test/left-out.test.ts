import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { until } from "@slipway/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type TestRepository, testRepository } from "./git-repository.ts";
import { type Platform, startBuildService } from "./start-build-service.ts";

let platform: Platform;
let shop: TestRepository;

beforeAll(async () => {
  platform = await startBuildService();
  shop = await testRepository(platform.folder, "shop", false);
  await platform.register("shop", shop.url);
});
afterAll(() => platform.close());

/** The files and folders below /app of the image that a commit becomes. */
async function inImageOf(files: Record<string, string | null>): Promise<readonly string[]> {
  const sha = await shop.commit(files);
  const id = await platform.buildOf(await platform.push({ url: shop.url, sha }));
  const { status, digest } = await platform.ended(id);
  expect(status, await platform.log(id)).toBe("SUCCEEDED");
  const held = [...platform.registry.manifests.values()].find((one) => one.digest === digest);
  const { layers } = JSON.parse(held?.bytes.toString("utf8") ?? "{}") as { layers: { digest: string }[] };
  const path = join(platform.folder, "layer.tar");
  writeFileSync(path, gunzipSync(platform.registry.blobs.get(layers.at(-1)?.digest ?? "") ?? Buffer.alloc(0)));
  const names = execFileSync("tar", ["-tf", path], { encoding: "utf8" }).split("\n");
  return names.flatMap((name) => /^app\/(.+[^/])$/.exec(name)?.[1] ?? []);
}

const packageJson = JSON.stringify({ scripts: { start: "node src/server.js", build: "node make.js" } });
/** Makes a file below the folder of tests, which it does not name as a whole: what code names is in the image for that alone. */
const make = [
  `const { mkdirSync, writeFileSync } = require("node:fs"); const made = ["te", "st/made"].join("");`,
  `mkdirSync(made, { recursive: true }); writeFileSync(made + "/a.js", ""); writeFileSync("NOTES.md", "")`,
].join("\n");
const app = {
  ...{ "package.json": packageJson, "src/server.js": "setInterval(() => {}, 1000)", "make.js": make },
  ...{ "README.md": "# Shop", ".gitignore": "node_modules", "test/app.test.js": "", "views/a.html": "<p>" },
};

test("a detected image holds the app, and neither its tests nor what belongs to the repository alone; what a step made stays, whatever its name is", async () => {
  expect(await inImageOf(app)).toEqual([
    "NOTES.md",
    "make.js",
    "package.json",
    "src/server.js",
    "test/made/a.js",
    "views/a.html",
  ]);
});

test("a .dockerignore is respected, and what the app names is there", async () => {
  const files = await inImageOf({
    ".dockerignore": "views\nmake.js\n",
    "src/server.js": `const about = require("node:fs").readFileSync("README.md"); setInterval(() => about, 1000)`,
  });

  expect(files).toEqual(["NOTES.md", "README.md", "package.json", "src/server.js", "test/made/a.js"]);
});

test("a slipway.yaml says it for itself", async () => {
  const files = await inImageOf({
    "slipway.yaml": [
      "version: 1\nservice: shop\npipeline:\n  make: { run: node make.js }",
      'image: { copy: [src, test, README.md], exclude: ["**/*.test.js"], command: [node, src/server.js] }\n',
    ].join("\n"),
  });

  expect(files).toEqual(["README.md", "src/server.js", "test/made/a.js"]);
});

test("while the artifact-registry is of an older version that does not know image.exclude, the build waits for the newer one and says so", async () => {
  platform.registry.unknown.push("image/exclude");
  const sha = await shop.commit({ "views/b.html": "<p>" });
  const id = await platform.buildOf(await platform.push({ url: shop.url, sha }));
  const reason = async () => (await platform.view(id)).waiting?.for;
  await until(async () => (await reason())?.includes("does not know spec.image.exclude"), {
    what: "the reason",
    timeoutMs: 60_000,
  });

  platform.registry.unknown.length = 0;

  expect((await platform.ended(id)).status).toBe("SUCCEEDED");
});
