import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
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

/** Looks for a python3 that has pip, and for go, as the platform's own user would call them. */
export async function findToolchain(): Promise<Toolchain> {
  const [python, go] = await Promise.all([
    firstOf(["python3", "/usr/bin/python3"]),
    ask("go", ["env", "GOROOT", "GOVERSION"]),
  ]);
  const [prefix, pythonVersion] = python?.split("\n") ?? [];
  const [goRoot, goVersion] = go?.split("\n") ?? [];
  const known = [pythonVersion === undefined ? undefined : `python ${pythonVersion}`, goVersion];
  const versions = [`node ${process.version}`, ...known.filter((text) => text !== undefined), process.arch].join(", ");
  return { ...toolchainOf(prefix, goRoot), versions };
}

/** Pure but for a look whether it exists: mounts for what is not below /usr, and the PATH with both. */
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

function placed(prefix: string | undefined, to: string): { at: string; mount: Mount[] } | undefined {
  if (prefix === undefined || !existsSync(prefix)) return undefined;
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
