import type { DraftStep } from "./found.ts";
import { type PythonGroup, testGroup } from "./python-groups.ts";
import { installed, installedGroup } from "./python-packages.ts";
import { firstFile, hasFile, type RepositoryView } from "./repository-view.ts";

export type TestPackages = {
  readonly step: DraftStep;
  readonly file: string;
  /** One package a line. */
  readonly listed: string;
};

const files = [
  ...["requirements-dev.txt", "requirements-test.txt", "dev-requirements.txt"],
  ...["requirements/dev.txt", "requirements/test.txt"],
];

/** What tests and checks need beside the service's own packages: a file of requirements, or the group of pyproject.toml that has pytest. */
export function testPackages(view: RepositoryView, into: string): TestPackages | undefined {
  const file = firstFile(view, files);
  if (file !== undefined) {
    const listed = view.texts[file] ?? "";
    return { step: stepOf(installed(file, listed, into)), file, listed };
  }
  const group = testGroup(view.texts["pyproject.toml"] ?? "");
  if (group === undefined || !isInstallable(view, group)) return undefined;
  return {
    step: stepOf(installedGroup(view, group, into)),
    file: `${group.name} of ${group.where} in pyproject.toml`,
    listed: group.packages.join("\n"),
  };
}

/** Poetry's own groups have versions that only poetry reads. */
function isInstallable(view: RepositoryView, { where }: PythonGroup): boolean {
  return !where.startsWith("tool.poetry.") || hasFile(view, "poetry.lock");
}

function stepOf(install: Pick<DraftStep, "run" | "cache">): DraftStep {
  return {
    name: "test-packages",
    comment: "Packages that only tests and checks need; they do not get into the image.",
    network: "registries",
    ...install,
  };
}
