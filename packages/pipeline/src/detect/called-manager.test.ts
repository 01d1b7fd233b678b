import type { ServiceName } from "@slipway/kernel";
import { expect, test } from "vitest";
import { parseSlipwayYaml } from "../slipway-yaml.ts";
import { detectFile, detectionLines } from "./detect-file.ts";

const folder = "node_modules/.package-manager";
const onPath = `PATH="$PWD/${folder}/node_modules/.bin:$PATH" `;

function fileOf(lock: string, own: object, more: Readonly<Record<string, string>> = {}) {
  const start = "node server.js";
  const { scripts, ...rest } = own as { readonly scripts?: object };
  const text = JSON.stringify({ dependencies: { a: "1" }, ...rest, scripts: { start, ...scripts } });
  const texts = { "package.json": text, "server.js": "", [lock]: "{}", ...more };
  const found = detectFile({ paths: Object.keys(texts).sort(), texts }, "shop" as ServiceName);
  if (found.kind === "undetected") throw new Error(found.problem);
  const parsed = parseSlipwayYaml(found.text);
  if (parsed.kind === "errors") throw new Error("it has errors");
  return { ...parsed.file, said: detectionLines(found).join("\n") };
}

test.each([
  ["pnpm-lock.yaml", { scripts: { build: "pnpm -r build", test: "x" } }, "pnpm@10"],
  [
    "pnpm-lock.yaml",
    { packageManager: "pnpm@9.1.0", scripts: { build: "tsc && pnpm run x", test: "x" } },
    "pnpm@9.1.0",
  ],
  ["yarn.lock", { scripts: { build: "yarn clean", test: "x" } }, "yarn@1.22.22"],
  ["yarn.lock", { packageManager: "yarn@4.5.0", scripts: { build: "(yarn x)", test: "x" } }, "@yarnpkg/cli-dist@4.5.0"],
])(
  "with %s and %j the scripts find the package manager that they call, and the image is without it",
  (lock, own, program) => {
    const { pipeline, image, said } = fileOf(lock, own);

    expect(pipeline.install?.run).toContain(`npm install --prefix ${folder} --no-save --no-audit --no-fund ${program}`);
    expect(pipeline.build).toMatchObject({ run: `${onPath}npm run build`, network: "none" });
    expect(pipeline.test).toMatchObject({ run: `${onPath}npm test`, network: "none" });
    expect(pipeline.package?.run).toMatch(new RegExp(`^rm -rf ${folder} && `));
    expect(image.from).toBe("package");
    expect(said).toContain("npm run build   (package.json scripts.build)");
  },
);

test("scripts of a workspace find it, too, whatever those of its root call", () => {
  const own = { scripts: { test: "vitest run" } };

  expect(fileOf("pnpm-lock.yaml", own, { "pnpm-workspace.yaml": "" }).pipeline.test?.run).toBe(`${onPath}npm test`);
});

test.each([
  ["pnpm-lock.yaml", { scripts: { test: "pnpmish -r test" } }],
  ["yarn.lock", { scripts: { test: "node yarn.js" } }],
  ["package-lock.json", { scripts: { test: "npm run x" }, workspaces: ["packages/*"] }],
])("with %s and %j nothing more is installed", (lock, own) => {
  const { pipeline } = fileOf(lock, own);

  expect(pipeline.install?.run).not.toContain(folder);
  expect(pipeline.test?.run).toBe("npm test");
  expect(pipeline.package?.run ?? "").not.toContain(folder);
});

test.each(["pnpm --filter api start", "pnpm --filter=api start", "yarn workspace api start", "npm -w api start"])(
  "a start by %s says that a Procfile names what runs",
  (start) => {
    const text = JSON.stringify({ scripts: { start } });
    const paths = ["package.json", "packages/api/package.json"];

    expect(detectFile({ paths, texts: { "package.json": text } }, "shop" as ServiceName)).toMatchObject({
      problem: `it starts by a script of another package ("${start}")`,
      remedies: [expect.stringContaining("Procfile"), expect.stringContaining("git subtree push")],
    });
  },
);
