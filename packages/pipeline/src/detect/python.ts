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
import { type PythonPackages, pythonPackages } from "./python-packages.ts";
import { sourceFolder } from "./python-source.ts";
import { pythonStart } from "./python-start.ts";
import { testPackages } from "./python-test-packages.ts";
import { readyPath } from "./ready-path.ts";
import { hasFile, hasFolder, isTest, type RepositoryView } from "./repository-view.ts";

/** Where pip puts the packages that the service needs, in the workspace and in /app. */
const packagesFolder = ".python-packages";
const testFolder = ".python-test-packages";

/** A project of poetry that is no package: pip cannot install it, and only poetry reads what it lists. */
function isUnlockedList(view: RepositoryView): boolean {
  const project = view.texts["pyproject.toml"] ?? "";
  const other = ["poetry.lock", "uv.lock", "requirements.txt"].some((name) => hasFile(view, name));
  return !other && /^\s*package-mode\s*=\s*false\b/m.test(project);
}
const unlockedList = undetected(
  "pyproject.toml is no package (package-mode = false), and there is no poetry.lock beside it",
  "Run poetry lock and commit poetry.lock: the packages are installed as it has them.",
);

/** A Python repository: something that lists packages, or a service in a .py file at its top. Undefined without either. */
export function detectPython(view: RepositoryView, web: string | undefined): Draft | Undetected | undefined {
  if (isUnlockedList(view)) return unlockedList;
  const packages = pythonPackages(view, packagesFolder);
  if (packages === undefined && !view.paths.some((path) => /^[^/]+\.py$/.test(path))) return undefined;
  const source = packages?.withProject === true ? undefined : sourceFolder(view);
  const start = pythonStart(view, { listed: packages?.listed ?? "", source }, web);
  if (start === undefined) {
    return undetected(
      `${packages?.found.why ?? "there are .py files"}, and nothing that looks like a service: no Flask, FastAPI, Django or other app`,
      "Say how it starts in a Procfile, e.g. web: gunicorn app:app (and list gunicorn in requirements.txt).",
    );
  }
  if (isUndetected(start)) return start;
  const ready = readyPath(view, /\.py$/);
  const steps = pythonSteps(view, packages, source);
  const searched = [...(packages === undefined ? [] : [packagesFolder]), ...(source === undefined ? [] : [source])];
  const left = leftOut(view, start.command);
  return {
    ecosystem: "python",
    steps: [...steps.made, scanStep],
    image: {
      base: "python3",
      ...(packages === undefined ? {} : { from: "install" }),
      ...{ copy: ["."], exclude: left.exclude },
      command: start.command,
      env: {
        ...(searched.length === 0 ? {} : { PYTHONPATH: searched.map((folder) => `/app/${folder}`).join(":") }),
        ...start.env,
      },
    },
    readyPath: ready.path,
    found: [
      { what: "kind", value: "Python", why: packages?.found.why ?? start.found.why },
      ...(packages === undefined ? [] : [packages.found]),
      ...dockerfileFound(view),
      ...steps.found,
      ...[start.found, ready.found, ...left.found],
    ],
    notes: [...left.notes, packages?.note, start.note, steps.note, ready.note].filter((note) => note !== undefined),
  };
}

type Steps = { readonly made: readonly DraftStep[]; readonly found: readonly Found[]; readonly note?: string };

function pythonSteps(view: RepositoryView, packages: PythonPackages | undefined, source: string | undefined): Steps {
  const made: DraftStep[] = packages === undefined ? [] : [packages.step];
  const extra = testPackages(view, testFolder);
  if (extra !== undefined) made.push(extra.step);
  const needs = made.map(({ name }) => name);
  const env = { PYTHONPATH: [packagesFolder, testFolder, ...(source === undefined ? [] : [source])].join(":") };
  const listed = `${packages?.chosen ?? ""}\n${extra?.listed ?? ""}`;
  const found: Found[] = extra === undefined ? [] : [{ what: "test packages", value: "pip install", why: extra.file }];
  if (/^\s*["']?ruff\b/im.test(extra?.listed ?? "")) {
    const run = "python3 -m ruff check . --extend-exclude '.python-*'";
    made.push({ ...{ name: "lint", comment: "Ruff, by your own settings.", run, env }, needs: ["test-packages"] });
    found.push({ what: "lint", value: "ruff check", why: `${extra?.file} lists ruff` });
  }
  const tests = testRun(view, listed);
  if (tests === undefined) return { made, found };
  if ("note" in tests) return { made, found, note: tests.note };
  made.push({ name: "test", comment: "Your tests.", run: tests.run, needs, env });
  return { made, found: [...found, { what: "test", value: tests.run, why: tests.why }] };
}

function testRun(view: RepositoryView, listed: string): { run: string; why: string } | { note: string } | undefined {
  const files = view.paths.filter((path) => path.endsWith(".py") && isTest(path));
  const [first] = files;
  if (first === undefined) return undefined;
  if (/(^\s*|["'])pytest\b/im.test(listed))
    return { run: "python3 -m pytest", why: `pytest is listed, and there is ${first}` };
  const cases = files.find((path) => /\bunittest\b/.test(view.texts[path] ?? ""));
  if (cases === undefined) {
    const where = hasFile(view, "pyproject.toml") ? "a group of pyproject.toml or in " : "";
    return {
      note: `There are tests (${first}) and no pytest in ${where}requirements-dev.txt, so they do not run in the build.`,
    };
  }
  const folder = cases.includes("/") ? cases.slice(0, cases.indexOf("/")) : undefined;
  const isPackage = folder !== undefined && hasFolder(view, folder) && hasFile(view, `${folder}/__init__.py`);
  const where = folder === undefined || isPackage ? "" : ` -s ${folder}`;
  return { run: `python3 -m unittest discover${where} -v`, why: `${cases} uses unittest` };
}
