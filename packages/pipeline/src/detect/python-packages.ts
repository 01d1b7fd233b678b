import type { DraftStep, Found } from "./found.ts";
import { type PythonGroup, withoutGroups } from "./python-groups.ts";
import { hasFile, type RepositoryView } from "./repository-view.ts";

export type PythonPackages = {
  readonly step: DraftStep;
  readonly found: Found;
  /** The text that names the packages. */
  readonly listed: string;
  /** As much of that text as is installed: without groups of a project's. */
  readonly chosen: string;
  /** Whether the repository's own packages are installed with the others. */
  readonly withProject: boolean;
  readonly note?: string;
};

// No .pyc: their times would give the same commit another image each time.
const pip = "python3 -m pip install --no-input --no-compile --disable-pip-version-check";

/** How the packages of a Python service get into a folder of the workspace; undefined where nothing lists any. */
export function pythonPackages(view: RepositoryView, into: string): PythonPackages | undefined {
  const project = view.texts["pyproject.toml"];
  if (hasFile(view, "uv.lock")) return locked("uv.lock", "uv export", uv(into), project);
  if (hasFile(view, "poetry.lock")) return locked("poetry.lock", "poetry export", poetry(into), project);
  const requirements = view.texts["requirements.txt"];
  if (requirements !== undefined) {
    const pinned = pinnedLines(requirements);
    const note = "Not every line of requirements.txt is pinned (==), so each build may install other versions.";
    return {
      step: stepOf(installed("requirements.txt", requirements, into)),
      found: { what: "packages", value: "pip install -r requirements.txt", why: "requirements.txt" },
      ...{ listed: requirements, chosen: requirements },
      withProject: requirementsOf(requirements).some((line) => /^\.\/?(\[.*\])?$/.test(line)),
      ...(pinned ? {} : { note }),
    };
  }
  if (project === undefined) return undefined;
  return {
    step: stepOf(byPipCache(`${pip} --target ${into} .`, "pyproject.toml")),
    found: { what: "packages", value: "pip install .", why: "pyproject.toml" },
    ...{ listed: project, chosen: withoutGroups(project), withProject: true },
    note: "pyproject.toml has no lock file beside it, so each build may install other versions. Commit a uv.lock.",
  };
}

function locked(file: string, value: string, run: string, project = ""): PythonPackages {
  return {
    step: stepOf(byPipCache(run, file)),
    found: { what: "packages", value, why: file },
    ...{ listed: project, chosen: withoutGroups(project), withProject: false },
  };
}

/**
 * pip's own cache holds what the index allows it to keep, which may be nothing. What a list pins line by line is the same whenever it is installed, so
 * that the folder itself is kept by the list's content, and pip is not asked again; of any other list only pip's cache is.
 */
export function installed(file: string, text: string, into: string): Pick<DraftStep, "run" | "cache"> {
  const run = `${pip} --target ${into} -r ${file}`;
  if (!saysAll(text)) return byPipCache(run, file);
  return { run: `[ -d ${into} ] || ${run}`, cache: { key: [file], paths: [into] } };
}

const pinnedLine = /^[\w.-]+(\[[^\]]*\])?\s*==\s*[\w.!+-]+\s*(;[^\\]*)?(--hash=\S+\s*)?\\?$/;

/** Every package is pinned, and none stands in another file or in the repository itself. */
function saysAll(requirements: string): boolean {
  const lines = requirementsOf(requirements);
  return lines.length > 0 && lines.every((line) => pinnedLine.test(line) || line.startsWith("--hash="));
}

/** A group's packages as the lock file has them; without one as the group names them. */
export function installedGroup(
  view: RepositoryView,
  group: PythonGroup,
  into: string,
): Pick<DraftStep, "run" | "cache"> {
  const { kind, name, packages } = group;
  if (hasFile(view, "uv.lock")) {
    return byPipCache(uv(into, kind === "group" ? `--only-group ${name}` : `--no-dev --extra ${name}`), "uv.lock");
  }
  if (hasFile(view, "poetry.lock")) {
    return byPipCache(poetry(into, kind === "group" ? ` --only ${name}` : ` --extras ${name}`), "poetry.lock");
  }
  const quoted = packages.map((one) => `'${one.replaceAll("'", `'"'"'`)}'`);
  return byPipCache(`${pip} --target ${into} ${quoted.join(" ")}`, "pyproject.toml");
}

/** The tool itself stays out of the way of the service's packages. */
function uv(into: string, which = "--no-dev"): string {
  return [
    `${pip} --quiet --target "$HOME/tool" uv`,
    `PYTHONPATH="$HOME/tool" python3 -m uv export --frozen ${which} --no-emit-project --output-file "$HOME/locked.txt" --quiet`,
    `${pip} --target ${into} -r "$HOME/locked.txt"`,
  ].join("\n");
}

function poetry(into: string, which = ""): string {
  return [
    `${pip} --quiet --target "$HOME/tool" poetry poetry-plugin-export`,
    `PYTHONPATH="$HOME/tool" python3 -m poetry export${which} --format requirements.txt --output "$HOME/locked.txt"`,
    `${pip} --target ${into} -r "$HOME/locked.txt"`,
  ].join("\n");
}

function byPipCache(run: string, key: string): Pick<DraftStep, "run" | "cache"> {
  return { run, cache: { key: [key], paths: ["~/.cache/pip"] } };
}

function stepOf(install: Pick<DraftStep, "run" | "cache">): DraftStep {
  return {
    name: "install",
    comment:
      "The packages that the service needs, in a folder that goes into the image. Only this step reaches the registry.",
    ...install,
    network: "registries",
  };
}

function pinnedLines(requirements: string): boolean {
  return requirementsOf(requirements)
    .filter((line) => !line.startsWith("-"))
    .every((line) => /==|@ /.test(line));
}

function requirementsOf(text: string): string[] {
  return text
    .split(/\r?\n/)
    .map((line) => line.replace(/#.*/, "").trim())
    .filter((line) => line !== "");
}
