import type { ServiceName } from "@slipway/kernel";
import { expect, test } from "vitest";
import { parseSlipwayYaml } from "../slipway-yaml.ts";
import { detectFile } from "./detect-file.ts";

function fileOf(texts: Readonly<Record<string, string>>) {
  const found = detectFile({ paths: Object.keys(texts).sort(), texts }, "shop" as ServiceName);
  if (found.kind === "undetected") throw new Error(found.problem);
  const parsed = parseSlipwayYaml(found.text);
  if (parsed.kind === "errors") throw new Error("it has errors");
  return parsed.file;
}

const packageJson = (own: object) => ({ "package.json": JSON.stringify(own) });
const vite = { scripts: { dev: "vite", build: "vite build" }, devDependencies: { vite: "5" } };
const page = { "index.html": "", "main.js": 'document.querySelector("#app").innerHTML = "";' };
const server = { "server.js": 'require("express")().use(pages).listen(process.env.PORT);' };
const served = (folder: string) => ["node", "slipway-static-server.mjs", folder];

test("a site that Vite builds is served, although its script has the name of a service's first file", () => {
  const file = fileOf({ ...page, ...packageJson(vite), "package-lock.json": "{}" });

  expect(file.image.command).toEqual(served("dist"));
  expect(file.pipeline.site).toMatchObject({ needs: ["build"], uses: "static-server" });
});

test("a page with a package.json that starts nothing is served as it lies there, and its tests run", () => {
  const own = { scripts: { test: "node --test" }, devDependencies: { prettier: "3" } };
  const file = fileOf({ ...page, ...packageJson(own), "package-lock.json": "{}" });

  expect(file.image).toMatchObject({ from: "site", copy: ["."], command: served(".") });
  expect(file.pipeline.site).toMatchObject({ needs: [] });
  expect(file.pipeline.test).toMatchObject({ run: "npm test" });
});

test("a page whose script build is that of no known builder is served with what the script makes", () => {
  const file = fileOf({ ...page, ...packageJson({ scripts: { build: "node make.js" } }) });

  expect(file.image.command).toEqual(served("."));
  expect(file.pipeline.site).toMatchObject({ needs: ["build"] });
});

test.each([
  ["a script start", { ...page, ...packageJson({ ...vite, scripts: { ...vite.scripts, start: "node main.js" } }) }],
  ["main", { ...page, ...packageJson({ ...vite, main: "main.js" }) }],
  ["a Procfile", { ...page, ...packageJson(vite), Procfile: "web: node main.js" }],
])("a page beside which %s says what starts is a Node service", (_what, files) => {
  expect(fileOf(files).image.command).toEqual(["node", "main.js"]);
});

test("a page beside a usual first file that listens is a Node service", () => {
  const files = { ...page, ...server, ...packageJson({ dependencies: { express: "5" } }) };

  expect(fileOf(files).image.command).toEqual(["node", "server.js"]);
});
