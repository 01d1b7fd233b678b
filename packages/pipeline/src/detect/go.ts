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
import { readyPath } from "./ready-path.ts";
import { hasFile, hasFolder, isTest, lastPart, type RepositoryView } from "./repository-view.ts";
import { type Start, startOf } from "./start.ts";

const binary = "bin/server";
const compiledFolder = ".go-build";
/** The same in every step, else nothing compiled by one would fit another. */
const compiling = { CGO_ENABLED: "0", GOFLAGS: "-trimpath", GOCACHE: `/workspace/${compiledFolder}` };
/** Folders that a program may read while it runs. */
const assets = ["static", "public", "templates", "web", "assets", "views", "config", "migrations"];

/** A repository with a go.mod; undefined without one. */
export function detectGo(
  view: RepositoryView,
  service: string,
  web: string | undefined,
): Draft | Undetected | undefined {
  const mod = view.texts["go.mod"];
  if (mod === undefined) return undefined;
  const module = /^module\s+"?([^\s"]+)/m.exec(mod)?.[1] ?? "";
  const main = mainPackage(view, [service, lastPart(module)]);
  if (isUndetected(main)) return main;
  const start = web === undefined ? ownStart(main.folder) : procfileStart(web, [module, main.folder]);
  if (isUndetected(start)) return start;
  const ready = readyPath(view, /\.go$/);
  const version = /^go\s+(\S+)/m.exec(mod)?.[1];
  const depends = /^\s*require\b/m.test(mod);
  const steps = goSteps(view, main.folder, depends);
  return {
    ecosystem: "go",
    steps: [...steps, scanStep],
    image: {
      base: "static",
      from: "build",
      copy: [binary, ...assets.filter((folder) => hasFolder(view, folder))],
      exclude: [],
      command: start.command,
      env: start.env,
    },
    readyPath: ready.path,
    found: [
      { what: "kind", value: "Go", why: `go.mod${version === undefined ? "" : `, go ${version}`}` },
      { what: "main package", value: main.folder, why: main.why },
      ...dockerfileFound(view),
      ...steps.map(({ name, run = "" }) => ({ what: name, value: run, why: whyOf(view, name) })),
      ...[start.found, ready.found],
    ],
    notes: ready.note === undefined ? [] : [ready.note],
  };
}

function goSteps(view: RepositoryView, main: string, depends: boolean): readonly DraftStep[] {
  const sums = ["go.mod", "go.sum"].filter((path) => hasFile(view, path));
  const download: DraftStep = {
    name: "install",
    comment: "The modules of go.mod, as go.sum has them, into vendor/. Only this step reaches the module proxy.",
    ...{ run: "go mod vendor", network: "registries", cache: { key: sums, paths: ["~/go/pkg/mod"] } },
  };
  const steps: DraftStep[] = depends ? [download] : [];
  steps.push({
    name: "build",
    comment:
      "A static binary: it needs nothing of the system that it runs on. What is compiled is kept between builds.",
    run: `go build -buildvcs=false -ldflags="-s -w" -o ${binary} ${main}`,
    ...{ needs: depends ? ["install"] : [], env: compiling, cache: { key: [...sums], paths: [compiledFolder] } },
  });
  // After build, whose compiled packages they use: compiling those of Go itself takes longer than everything else.
  const after = { needs: ["build"], env: compiling };
  if (view.paths.some((path) => path.endsWith("_test.go"))) {
    // Without a part of vet, which has a step of its own: all that the tests use would be looked at twice.
    steps.push({ name: "test", comment: "Your tests.", run: "go test -vet=off ./...", ...after });
  }
  return [...steps, { name: "vet", comment: "What go itself finds suspicious.", run: "go vet ./...", ...after }];
}

function whyOf(view: RepositoryView, step: string): string {
  if (step === "install") return "go.mod requires modules";
  if (step === "test") return view.paths.find((path) => path.endsWith("_test.go")) ?? "";
  return "go.mod";
}

type Main = { readonly folder: string; readonly why: string };

/** The one package that is a program; of several, the one that is named after the service or like a server. */
function mainPackage(view: RepositoryView, names: readonly string[]): Main | Undetected {
  const files = Object.entries(view.texts).filter(
    ([path, text]) => path.endsWith(".go") && !isTest(path) && /^package main\b/m.test(text),
  );
  const folders = [
    ...new Set(files.map(([path]) => (path.includes("/") ? path.slice(0, path.lastIndexOf("/")) : "."))),
  ];
  const fileIn = (folder: string) =>
    files.find(([path]) => path === (folder === "." ? lastPart(path) : `${folder}/${lastPart(path)}`))?.[0] ?? "";
  const [only, second] = folders;
  if (only === undefined) {
    return undetected(
      "go.mod is there, and no package main",
      "Add the program: main.go at the top, or cmd/server/main.go.",
    );
  }
  if (second === undefined) return { folder: goPath(only), why: `${fileIn(only)} is package main` };
  const wanted = [...names, "server", "web", "api", "app"];
  const chosen = folders.includes(".")
    ? "."
    : wanted.map((name) => folders.find((folder) => lastPart(folder) === name)).find((one) => one !== undefined);
  if (chosen !== undefined) return { folder: goPath(chosen), why: `of ${folders.map(goPath).join(", ")}, by its name` };
  return undetected(
    `there are several programs (${folders.map(goPath).join(", ")}), and none is named server or ${names[0]}`,
    "Write slipway.yaml (slipway init cannot choose either) with the one to build, or name its folder cmd/server.",
  );
}

function goPath(folder: string): string {
  return folder === "." ? "." : `./${folder}`;
}

type GoStart = Start & { readonly found: Found };

function ownStart(main: string): GoStart {
  return { command: [`/app/${binary}`], env: {}, found: { what: "start", value: binary, why: `built from ${main}` } };
}

/** A Procfile names the binary as somebody else's build would leave it, e.g. `bin/shop`: here it is the one that is built. */
function procfileStart(web: string, [module = "", main = ""]: readonly string[]): GoStart | Undetected {
  const own = [lastPart(module), lastPart(main), "server", "main", "app", "web"];
  const start = startOf(web, "Procfile web:", {
    base: "static",
    call: ([program = "", ...words]) => (own.includes(lastPart(program)) ? [`/app/${binary}`, ...words] : undefined),
  });
  return isUndetected(start) ? start : { ...start, found: { what: "start", value: web, why: "Procfile web:" } };
}
