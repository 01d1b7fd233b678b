import { installedBeside, scriptsCall, withManager, withoutItself, withoutManager } from "./called-manager.ts";
import { dockerfileFound } from "./dockerfile.ts";
import {
  type Draft,
  type DraftStep,
  type Found,
  isUndetected,
  scanStep,
  type Undetected,
  undetected,
} from "./found.ts";
import { leftOut } from "./left-out.ts";
import { nodeStart, startsFromDevelopment } from "./node-start.ts";
import { admitsMajor, type PackageJson, readPackageJson } from "./package-json.ts";
import { type PackageManager, packageManagerOf } from "./package-manager.ts";
import { readyPath } from "./ready-path.ts";
import type { RepositoryView } from "./repository-view.ts";
import { builtSite, pageOf } from "./static-site.ts";

const baseMajor = 24;
const noTest = /no test specified/;
const checks = ["lint", "typecheck"];

/** A repository with a package.json; undefined without one. */
export function detectNode(view: RepositoryView, web: string | undefined): Draft | Undetected | undefined {
  const text = view.texts["package.json"];
  if (text === undefined) return undefined;
  const own = readPackageJson(text);
  if (isUndetected(own)) return own;
  const manager = packageManagerOf(view, own);
  const called = manager !== undefined && scriptsCall(manager, own);
  const steps = nodeSteps(own, manager, called);
  const start = nodeStart(view, own, web);
  if (start === undefined) return builtSite(view, own, steps) ?? pageOf(view, steps) ?? withoutStart(view, own);
  if (isUndetected(start)) return start;
  const keepsAll = startsFromDevelopment(own, start);
  const prune = manager !== undefined && (called || Object.keys(own.devDependencies).length > 0) && !keepsAll;
  const packaged = prune ? [...steps, packageStep(manager, called, lastMade(steps))] : steps;
  const ready = readyPath(view, /\.(m?[jt]s|cjs)$/);
  const from = prune ? "package" : lastMade(steps);
  const left = leftOut(view, start.command);
  return {
    ecosystem: "node",
    steps: [...packaged, scanStep],
    image: {
      base: "node24",
      ...(from === undefined ? {} : { from }),
      ...{ copy: ["."], exclude: left.exclude },
      command: start.command,
      env: { NODE_ENV: "production", ...start.env },
    },
    readyPath: ready.path,
    found: [...foundOf(view, own, manager), ...scriptsFound(steps), start.found, ready.found, ...left.found],
    notes: [
      ...left.notes,
      ...[manager?.note, ready.note, engineNote(own)].filter((note) => note !== undefined),
      ...(keepsAll ? ["What starts is a development dependency, so all packages are in the image."] : []),
    ],
  };
}

function nodeSteps(own: PackageJson, manager: PackageManager | undefined, called: boolean): readonly DraftStep[] {
  const steps: DraftStep[] = [];
  if (manager !== undefined) {
    steps.push({
      name: "install",
      comment: manager.comment,
      run: called ? installedBeside(manager) : manager.install,
      ...{ network: "registries", cache: manager.cache },
    });
  }
  const script = called ? withManager : (run: string) => run;
  const after = (name: string) => (steps.some((step) => step.name === name) ? [name] : []);
  if (own.scripts.build !== undefined) {
    steps.push({ name: "build", comment: "Your script build.", run: script("npm run build"), needs: after("install") });
  }
  const test = own.scripts.test;
  if (test !== undefined && !noTest.test(test)) {
    const needs = after("build").length > 0 ? after("build") : after("install");
    steps.push({ name: "test", comment: "Your tests, as npm test runs them.", run: script("npm test"), needs });
  }
  for (const check of checks.filter((name) => own.scripts[name] !== undefined)) {
    steps.push({
      name: check,
      comment: `Your script ${check}.`,
      run: script(`npm run ${check}`),
      needs: after("install"),
    });
  }
  return steps;
}

/** The step whose workspace holds all that has been made for the image so far. */
export function lastMade(steps: readonly DraftStep[]): string | undefined {
  return steps.findLast(({ name }) => name === "build" || name === "install")?.name;
}

function packageStep(manager: PackageManager, called: boolean, from: string | undefined): DraftStep {
  return {
    name: "package",
    comment: "The image is made from this step's files: without the packages that only development needs.",
    run: called ? withoutItself(manager) : manager.prune,
    needs: from === undefined ? [] : [from],
    ...(manager.pruneFetches ? { network: "registries", cache: manager.cache } : {}),
  };
}

function foundOf(view: RepositoryView, own: PackageJson, manager: PackageManager | undefined): Found[] {
  const wanted = own.engines?.node;
  const version = wanted === undefined ? "" : `, engines.node ${wanted}`;
  return [
    { what: "kind", value: "Node", why: `package.json${version}` },
    ...(manager === undefined ? [] : [manager.found]),
    ...dockerfileFound(view),
  ];
}

function scriptsFound(steps: readonly DraftStep[]): Found[] {
  return steps
    .filter(({ name }) => name !== "install")
    .map(({ name, run = "" }) => ({ what: name, value: withoutManager(run), why: `package.json scripts.${name}` }));
}

function engineNote(own: PackageJson): string | undefined {
  const wanted = own.engines?.node;
  if (wanted === undefined || admitsMajor(wanted, baseMajor) !== false) return undefined;
  return `engines.node is "${wanted}", and steps and image have Node ${baseMajor}: name another with image: on the steps and image.base, e.g. node:22.`;
}

function withoutStart(view: RepositoryView, own: PackageJson): Undetected {
  const spaces = Array.isArray(own.workspaces) ? own.workspaces : own.workspaces?.packages;
  const many = spaces !== undefined || view.paths.includes("pnpm-workspace.yaml");
  const remedy =
    'Say how it starts: "scripts": { "start": "node server.js" } in package.json, or a Procfile with web: node server.js.';
  if (!many)
    return undetected("package.json has no script start, no main that exists, and there is no Procfile", remedy);
  const inside = view.paths.filter((path) => /^[^/]+(\/[^/]+)?\/package\.json$/.test(path)).slice(0, 5);
  return undetected(
    `this is the root of a monorepo (${spaces?.join(", ") ?? "pnpm-workspace.yaml"}) without a script start`,
    `Say which of its packages is the service: a Procfile with web: node ${inside[0]?.replace("/package.json", "") ?? "packages/api"}/server.js.`,
    "Or give each service a repository name of its own, with a slipway.yaml (slipway init) that builds and starts that one.",
  );
}
