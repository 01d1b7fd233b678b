/** A repository as detection sees it: the paths of all files, and the text of those that `worthReading` names. */
export type RepositoryView = {
  /** With `/` between folders, in byte order. */
  readonly paths: readonly string[];
  readonly texts: Readonly<Record<string, string>>;
  /** The text of code beside those, as much as is looked through. */
  readonly further?: Readonly<Record<string, string>>;
};

/** Never looked into: not the repository's own, or enormous. */
export const passedOver = [".git", ".slipway", "node_modules", ".venv", "venv", "vendor", "__pycache__", "target"];

/** Sources are read for where a service begins and whether it has a health endpoint; more than these tell nothing new. */
const mostSources = 80;
/** Further code is read for what it names alone; where there is more, nothing follows from what is not named. */
const mostFurther = 2_000;
const manifests =
  /^(package\.json|Procfile|go\.mod|pyproject\.toml|Dockerfile|Containerfile|(dev-)?requirements[\w.-]*\.txt|requirements\/[\w.-]+\.txt|\.python-version|\.nvmrc|\.dockerignore)$/;
const source = /^([^/]+\/){0,3}[^/]+\.(m?[jt]s|cjs|py|go)$/;

/** The files whose text detection wants, of all that there are. */
export function worthReading(paths: readonly string[]): readonly string[] {
  const sources = paths.filter((path) => source.test(path) && !/\.min\.js$|\.d\.ts$/.test(path));
  const nearest = [...sources].sort((a, b) => depthOf(a) - depthOf(b) || (a < b ? -1 : 1));
  return [...paths.filter((path) => manifests.test(path)), ...nearest.slice(0, mostSources)];
}

const code = /\.([cm]?[jt]sx?|py|go)$/;

/** What only builds, tests and linters load. */
const ofTools =
  /(^|\/)((vite|vitest|jest|playwright|cypress|eslint|prettier|babel|rollup|webpack|tsup|karma)\.config\.[cm]?[jt]s|\.eslintrc\.c?js|(setup|noxfile|conftest)\.py)$/;

/** Code that runs in the service, as far as its name tells: no tests, no types, nothing of tools. */
export function isCode(path: string): boolean {
  return code.test(path) && !/\.d\.[cm]?ts$/.test(path) && !ofTools.test(path) && !isTest(path);
}

/** Code whose text detection wants only to know what it names. */
export function worthSearching(paths: readonly string[], read: ReadonlySet<string>): readonly string[] {
  return paths.filter((path) => isCode(path) && !read.has(path)).slice(0, mostFurther);
}

export function isTest(path: string): boolean {
  return /(^|\/)(tests?|__tests__|spec)\/|(\.|_|-)(test|spec)\.\w+$|(^|\/)test_[^/]*$/.test(path);
}

function depthOf(path: string): number {
  return path.split("/").length;
}

export function hasFile(view: RepositoryView, path: string): boolean {
  return view.paths.includes(path);
}

export function hasFolder(view: RepositoryView, path: string): boolean {
  return view.paths.some((one) => one.startsWith(`${path}/`));
}

/** The first of some files that is there. */
export function firstFile(view: RepositoryView, paths: readonly string[]): string | undefined {
  return paths.find((path) => hasFile(view, path));
}

export function lastPart(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}
