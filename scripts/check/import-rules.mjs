import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { companionFiles, plantedFiles, plantedPackages, soundFiles } from "./planted.mjs";
import { programOf, root, runNode } from "./processes.mjs";

const rules = join(root, ".dependency-cruiser.cjs");
/** Far below what there is: a run that sees less has not seen the tree. */
const leastModules = 500;
const leastCrossings = 300;

/** Three checks: the tree keeps the rules, the run really saw the tree, and every rule finds what is planted against it. */
export function importRules() {
  let seen;
  const tree = () => {
    seen ??= cruise(root, ["packages", "services", "apps"]);
    return seen;
  };
  return [
    { name: "imports keep the rules", group: "static", run: async () => verdict(violationsOf(await tree())) },
    { name: "imports were all seen", group: "static", run: async () => verdict(blindnessOf(await tree())) },
    { name: "planted imports are found", group: "static", run: async () => verdict(await missedPlants()) },
  ];
}

function verdict(problems) {
  return problems.length === 0
    ? { passed: 1, failed: 0, skipped: 0, output: "" }
    : { passed: 0, failed: 1, skipped: 0, output: problems.map((problem) => `  ${problem}`).join("\n") };
}

async function cruise(folder, paths) {
  const { code, output } = await runNode(
    [programOf("dependency-cruiser", "depcruise"), "--config", rules, "--output-type", "json", ...paths],
    { cwd: folder, timeoutMs: 120_000 },
  );
  try {
    return JSON.parse(output);
  } catch {
    throw new Error(`dependency-cruiser ended with ${code}:\n${output.slice(0, 2_000)}`);
  }
}

function violationsOf({ summary }) {
  return summary.violations.map(
    ({ rule, from, to, cycle }) =>
      `${rule.name}: ${from} -> ${cycle === undefined ? to : cycle.map(({ name }) => name).join(" -> ")}`,
  );
}

function blindnessOf({ modules, summary }) {
  const crossings = modules.flatMap(({ source, dependencies }) =>
    dependencies.filter(({ module, resolved }) => module.startsWith("@slipway/") && leaves(source, resolved)),
  );
  return [
    summary.totalCruised < leastModules && `only ${summary.totalCruised} modules were seen, not ${leastModules}`,
    crossings.length < leastCrossings &&
      `only ${crossings.length} imports led from one package to another, not ${leastCrossings}`,
  ].filter(Boolean);
}

function leaves(source, resolved) {
  const top = (path) => path.split("/").slice(0, 2).join("/");
  return /^(packages|services|apps)\//.test(resolved) && top(source) !== top(resolved);
}

/** A small tree of the same shape, with one forbidden import for each rule and a few that are allowed. */
async function missedPlants() {
  const folder = mkdtempSync(join(tmpdir(), "slipway-planted-"));
  try {
    plant(folder);
    const { summary } = await cruise(folder, ["packages", "services", "apps"]);
    const found = new Set(summary.violations.map(({ rule, from }) => `${rule.name}: ${from}`));
    const wanted = new Set(plantedFiles.map(({ rule, path }) => `${rule}: ${path}`));
    const ruled = createRequire(import.meta.url)(rules).forbidden.map(({ name }) => name);
    const planted = new Set(plantedFiles.map(({ rule }) => rule));
    const sound = new Set(soundFiles.map(({ path }) => path));
    return [
      ...ruled.filter((name) => !planted.has(name)).map((name) => `nothing is planted against ${name}`),
      ...[...wanted].filter((plant) => !found.has(plant)).map((plant) => `not found: ${plant}`),
      ...summary.violations
        .filter(({ from }) => sound.has(from))
        .map(({ rule, from }) => `found where all is well: ${rule.name}: ${from}`),
    ];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function plant(folder) {
  const write = (path, text) => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  };
  cpSync(join(root, "tsconfig.base.json"), join(folder, "tsconfig.base.json"));
  mkdirSync(join(folder, "node_modules/@slipway"), { recursive: true });
  for (const path of plantedPackages) {
    const name = `@slipway/${path.split("/")[1]}`;
    write(`${path}/package.json`, JSON.stringify({ name, exports: { ".": { "@slipway/source": "./src/index.ts" } } }));
    write(`${path}/src/index.ts`, "export const here = 1;\n");
    symlinkSync(join(folder, path), join(folder, "node_modules", name));
  }
  for (const library of [
    "@aws-sdk/client-s3",
    "@kubernetes/client-node",
    "fastify",
    "ioredis",
    "kafkajs",
    "pg",
    "prom-client",
    "zod",
  ]) {
    write(`node_modules/${library}/package.json`, JSON.stringify({ name: library, exports: { ".": "./index.js" } }));
    write(`node_modules/${library}/index.js`, "export const here = 1;\n");
  }
  for (const { path, text } of [...soundFiles, ...companionFiles, ...plantedFiles]) write(path, text);
}
