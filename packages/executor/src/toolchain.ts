import { execFile } from "node:child_process";
import { existsSync, realpathSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join, sep } from "node:path";
import { promisify } from "node:util";
import { pathInside } from "./minimal-root.ts";
import type { Mount } from "./types.ts";

/** Python and Go of this machine as a step sees them. What lies below /usr is there already and only has to be found. */
export type Toolchain = {
  readonly mounts: readonly Mount[];
  /** PATH of a step. */
  readonly path: string;
  /** Where the loader finds a Python library that is not below /usr: a build of Python may be linked to its own by absolute path. */
  readonly env: Readonly<Record<string, string>>;
  /** Python's own prefix on this machine, e.g. `/usr`; undefined where there is none with pip. */
  readonly python: string | undefined;
  readonly go: string | undefined;
  /** What is in it, for people and for the keys of caches: `node v24.1.0, python 3.13.5, go1.26.0, x64`. */
  readonly versions: string;
};

const pythonInside = "/opt/slipway/python";
/** Long, since on a busy machine a package manager takes seconds to start, and what it does not say is then missing. */
const askWithinMs = 60_000;
const pythonProgram = "import sys, pip, platform; print(sys.base_prefix, platform.python_version(), sep='\\n')";

/**
 * Looks for a python3 that has pip, and for go, as the platform's own user would call them. `keepOut`: folders of which no step may see anything, such
 * as the platform's data.
 */
export async function findToolchain(keepOut: readonly string[]): Promise<Toolchain> {
  const [python, go] = await Promise.all([
    firstOf(["python3", "/usr/bin/python3"]),
    ask("go", ["env", "GOROOT", "GOVERSION"]),
  ]);
  const [prefix, pythonVersion] = allowed(python?.split("\n") ?? [], ["bin/python3", "lib"], keepOut);
  const [goRoot, goVersion] = allowed(go?.split("\n") ?? [], ["bin/go", "src/runtime"], keepOut);
  const known = [pythonVersion === undefined ? undefined : `python ${pythonVersion}`, goVersion];
  const versions = [`node ${process.version}`, ...known.filter((text) => text !== undefined), process.arch].join(", ");
  return { ...toolchainOf(prefix, goRoot), versions };
}

/** Mounts for what is not below /usr, and the PATH with both. */
export function toolchainOf(python: string | undefined, go: string | undefined): Omit<Toolchain, "versions"> {
  const places = [placed(python, pythonInside), placed(go, "/opt/slipway/go")];
  const mounts = places.flatMap((place) => place?.mount ?? []);
  const folders = places.flatMap((place) => (place === undefined ? [] : `${place.at}/bin`));
  const moved = mounts.find(({ to }) => to === pythonInside);
  const env: Record<string, string> = moved === undefined ? {} : { LD_LIBRARY_PATH: `${pythonInside}/lib` };
  // The platform's own Node before all: where Python is the system's, so is an older Node.
  const [own = "", ...others] = pathInside.split(":");
  return { mounts, env, path: [...new Set([own, ...folders, ...others])].join(":"), python, go };
}

/** What was found, or nothing where its folder may not be shown to steps. */
function allowed(found: readonly string[], files: readonly string[], keepOut: readonly string[]): readonly string[] {
  const [folder] = found;
  return folder !== undefined && mayBeSeen(folder, files, keepOut) ? found : [];
}

/**
 * True for a folder that is an installation (it has these files) and holds neither a home nor anything to be kept out: a python3 may say that its
 * prefix is `/`, or the home.
 */
export function mayBeSeen(folder: string, files: readonly string[], keepOut: readonly string[]): boolean {
  if (!existsSync(folder) || !files.every((file) => existsSync(join(folder, file)))) return false;
  const place = realpathSync(folder);
  const held = ["/etc", "/home", "/root", "/var", "/proc", "/tmp", tmpdir(), homedir()].map(real);
  if (held.some((path) => isWithin(path, place))) return false;
  return !keepOut.map(real).some((path) => isWithin(path, place) || isWithin(place, path));
}

function real(path: string): string {
  return existsSync(path) ? realpathSync(path) : path;
}

/** True when the path is the folder or lies in it. */
function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder.endsWith(sep) ? folder : `${folder}${sep}`);
}

function placed(prefix: string | undefined, to: string): { at: string; mount: Mount[] } | undefined {
  if (prefix === undefined) return undefined;
  return prefix === "/usr" || prefix.startsWith("/usr/")
    ? { at: prefix, mount: [] }
    : { at: to, mount: [{ from: prefix, to }] };
}

async function firstOf(programs: readonly string[]): Promise<string | undefined> {
  for (const program of programs) {
    const found = await ask(program, ["-c", pythonProgram]);
    if (found !== undefined) return found;
  }
  return undefined;
}

async function ask(program: string, args: readonly string[]): Promise<string | undefined> {
  return promisify(execFile)(program, [...args], { timeout: askWithinMs, cwd: "/" }).then(
    ({ stdout }) => (stdout.trim() === "" ? undefined : stdout.trim()),
    () => undefined,
  );
}
