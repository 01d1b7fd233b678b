import type { Found } from "./found.ts";
import type { PackageJson } from "./package-json.ts";
import { firstFile, type RepositoryView } from "./repository-view.ts";

export type PackageManager = {
  readonly name: "npm" | "pnpm" | "yarn";
  /** Its package, as npm names it. */
  readonly program: string;
  /** Whether the repository has packages of its own inside. */
  readonly workspace: boolean;
  readonly install: string;
  /** Above the step that installs. */
  readonly comment: string;
  /** Removes what only development needs, in a workspace in which `install` has run. */
  readonly prune: string;
  /** Whether `prune` fetches anything. */
  readonly pruneFetches: boolean;
  readonly cache: { readonly key: readonly string[]; readonly paths: readonly string[] };
  readonly found: Found;
  readonly note?: string;
};

const quiet = "--no-audit --no-fund";
const alone = "Only this step reaches the package registry.";
const byLock = `All packages, exactly as the lock file has them. ${alone}`;
const byRange = `All packages, in the newest versions that package.json allows: there is no lock file. ${alone}`;

/** How the packages of a repository are installed, by its lock file; undefined where it has none to install. */
export function packageManagerOf(view: RepositoryView, own: PackageJson): PackageManager | undefined {
  const none = Object.keys({ ...own.dependencies, ...own.devDependencies }).length === 0;
  const workspace = own.workspaces !== undefined || view.paths.includes("pnpm-workspace.yaml");
  if (none && !workspace) return undefined;
  const pnpm = firstFile(view, ["pnpm-lock.yaml"]);
  if (pnpm !== undefined) return pnpmOf(pnpm, workspace, own);
  const yarn = firstFile(view, ["yarn.lock"]);
  if (yarn !== undefined) return yarnOf(yarn, workspace, view, own);
  const lock = firstFile(view, ["package-lock.json", "npm-shrinkwrap.json"]);
  const note = "There is no lock file, so each build may install other versions. Commit package-lock.json.";
  return {
    ...{ name: "npm", program: "npm", workspace },
    install: lock === undefined ? `npm install ${quiet}` : `npm ci --prefer-offline ${quiet}`,
    comment: lock === undefined ? byRange : byLock,
    prune: `npm prune --omit=dev --offline ${quiet}`,
    pruneFetches: false,
    cache: { key: [lock ?? "package.json"], paths: ["~/.npm"] },
    found: {
      what: "packages",
      value: lock === undefined ? "npm install" : "npm ci",
      why: lock ?? "package.json names packages, there is no lock file",
    },
    ...(lock === undefined ? { note } : {}),
  };
}

/** What pnpm runs of the project itself when it installs, the pruned packages too: `husky` is none of those by then. */
const ownScripts = /^(pnpm:devPreinstall|(pre|post)?install|prepublish|(pre|post)?prepare)$/;

/**
 * The pruning install runs none of the project's own scripts: they ran with all packages there. Those of its packages it skips only where pnpm would
 * run the project's as well, since a package that moves to another folder is built there anew.
 */
function pnpmOf(lock: string, workspace: boolean, own: PackageJson): PackageManager {
  const program = versioned("pnpm", own) ?? "pnpm@10";
  const call = `npx --yes ${program}`;
  const scripts = workspace || Object.keys(own.scripts).some((name) => ownScripts.test(name));
  return {
    ...{ name: "pnpm", program, workspace },
    install: `${call} install --frozen-lockfile --node-linker=hoisted`,
    comment: byLock,
    prune: `CI=true ${call} install --prod${scripts ? " --ignore-scripts" : ""} --frozen-lockfile --node-linker=hoisted`,
    pruneFetches: true,
    cache: { key: [lock], paths: ["~/.npm", "~/.local/share/pnpm"] },
    found: { what: "packages", value: "pnpm install --frozen-lockfile", why: lock },
  };
}

function yarnOf(lock: string, workspace: boolean, view: RepositoryView, own: PackageJson): PackageManager {
  const found = { what: "packages", value: "yarn install", why: lock };
  const named = versioned("yarn", own);
  if (named === undefined || /^yarn@1\./.test(named)) {
    const program = "yarn@1.22.22";
    const call = `npx --yes ${program}`;
    return {
      ...{ name: "yarn", program, workspace, comment: byLock, pruneFetches: true, found },
      install: `${ownRegistry(call, lock)}${call} install --frozen-lockfile --non-interactive`,
      prune: `${call} install --production --frozen-lockfile --ignore-scripts --non-interactive --prefer-offline`,
      cache: { key: [lock], paths: ["~/.npm", "~/.cache/yarn"] },
      ...(view.paths.includes(".yarnrc.yml")
        ? { note: 'Name your yarn in package.json ("packageManager": "yarn@4.…"): without it yarn 1 is used.' }
        : {}),
    };
  }
  const program = `@yarnpkg/cli-dist@${named.slice("yarn@".length)}`;
  const call = `YARN_NODE_LINKER=node-modules npx --yes ${program}`;
  return {
    ...{ name: "yarn", program, workspace, comment: byLock, pruneFetches: true, found },
    install: `${call} install --immutable`,
    prune: `${call} workspaces focus --all --production`,
    cache: { key: [lock], paths: ["~/.npm", "~/.yarn/berry/cache"] },
  };
}

/**
 * A lock file of yarn 1 has the whole URL of each package, at yarn's own name for npm's registry, and no setting leads elsewhere: they are written anew
 * to the registry that npm uses. What a package must hold is in the lock file, too.
 */
function ownRegistry(call: string, lock: string): string {
  const yarns = `$(${call} config get registry)`;
  return `[ -z "$npm_config_registry" ] || sed -i "s#${yarns}/#\${npm_config_registry%/}/#" ${lock} && `;
}

/** `name@1.2.3` of the field packageManager, without its hash. */
function versioned(name: string, own: PackageJson): string | undefined {
  const match = new RegExp(`^${name}@\\d[\\w.-]*`).exec(own.packageManager ?? "");
  return match?.[0];
}
