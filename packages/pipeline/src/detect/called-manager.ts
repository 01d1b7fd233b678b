import type { PackageJson } from "./package-json.ts";
import type { PackageManager } from "./package-manager.ts";

/** In the workspace, so that the steps after the install have it: no step but that one reaches a registry. */
const managerFolder = "node_modules/.package-manager";

/** Whether scripts call the package manager themselves, e.g. `pnpm -r build`: no image has it. In a workspace those of its packages may. */
export function scriptsCall({ name, workspace }: PackageManager, { scripts }: PackageJson): boolean {
  if (name === "npm") return false;
  const call = new RegExp(`(^|[\\s;&|("'])${name}(\\s|$)`);
  return workspace || Object.values(scripts).some((script) => call.test(script));
}

/** The install step of a project whose scripts call its package manager. */
export function installedBeside({ install, program }: PackageManager): string {
  return `${install} && npm install --prefix ${managerFolder} --no-save --no-audit --no-fund ${program}`;
}

/** What makes the workspace the image's: what a step made cannot be left out of an image otherwise. */
export function withoutItself({ prune }: PackageManager): string {
  return `rm -rf ${managerFolder} && ${prune}`;
}

const onPath = `PATH="$PWD/${managerFolder}/node_modules/.bin:$PATH" `;

/** A script of such a project. */
export function withManager(run: string): string {
  return `${onPath}${run}`;
}

/** As people call it. */
export function withoutManager(run: string): string {
  return run.replace(onPath, "");
}
