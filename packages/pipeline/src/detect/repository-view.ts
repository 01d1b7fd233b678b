/** A repository as detection sees it: the paths of all files, and the text of those that `worthReading` names. */
export type RepositoryView = {
  /** With `/` between folders, in byte order. */
  readonly paths: readonly string[];
  readonly texts: Readonly<Record<string, string>>;
};

/** Never looked into: not the repository's own, or enormous. */
export const passedOver = [".git", ".slipway", "node_modules", ".venv", "venv", "vendor", "__pycache__", "target"];

/** Sources are read for where a service begins and whether it has a health endpoint; more than these tell nothing new. */
const mostSources = 80;
const manifests =
  /^(package\.json|Procfile|go\.mod|pyproject\.toml|Dockerfile|Containerfile|(dev-)?requirements[\w.-]*\.txt|requirements\/[\w.-]+\.txt|\.python-version|\.nvmrc)$/;
const source = /^([^/]+\/){0,3}[^/]+\.(m?[jt]s|cjs|py|go)$/;

/** The files whose text detection wants, of all that there are. */
export function worthReading(paths: readonly string[]): readonly string[] {
  const sources = paths.filter((path) => source.test(path) && !/\.min\.js$|\.d\.ts$/.test(path));
  const nearest = [...sources].sort((a, b) => depthOf(a) - depthOf(b) || (a < b ? -1 : 1));
  return [...paths.filter((path) => manifests.test(path)), ...nearest.slice(0, mostSources)];
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
