import { execFile, spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { promisify } from "node:util";
import { ServiceNameSchema } from "@slipway/contracts";
import { Unusable } from "./exit-codes.ts";
import type { ServiceName } from "./ids.ts";
import { typed } from "./typed.ts";

/** slipway.yaml of the working folder or the nearest one above it, within its repository. */
export function findSlipwayFile(from = process.cwd()): string | undefined {
  for (let folder = resolve(from); ; folder = dirname(folder)) {
    const file = join(folder, "slipway.yaml");
    if (existsSync(file)) return file;
    if (existsSync(join(folder, ".git")) || folder === dirname(folder)) return undefined;
  }
}

/** The service that the repository here is of; undefined outside of one. */
export function serviceHere(): ServiceName | undefined {
  const file = findSlipwayFile();
  if (file === undefined) return serviceOfRemote();
  // Only this one line: a file with errors elsewhere is still of this service.
  const name = /^service:\s*["']?([^\s"'#]+)/m.exec(readFileSync(file, "utf8"))?.[1];
  if (name === undefined)
    throw new Unusable(`${file} names no service.`, "slipway validate says what else is wrong with it.");
  return typed(ServiceNameSchema, name, `${file}, service`);
}

/** The address to which `git push slipway` goes from this folder; undefined where there is no such remote. */
export function slipwayRemote(folder = process.cwd()): string | undefined {
  const asked = ["-C", folder, "remote", "get-url", "slipway"];
  const { status, stdout } = spawnSync("git", asked, { encoding: "utf8", timeout: 10_000 });
  return status === 0 ? stdout.trim() : undefined;
}

/** A repository without the file has a service all the same: the one that `git push slipway` made. */
function serviceOfRemote(): ServiceName | undefined {
  const name = /\/git\/([^/]+?)(?:\.git)?\/?$/.exec(slipwayRemote() ?? "")?.[1];
  return name === undefined ? undefined : typed(ServiceNameSchema, name, "The service of the remote called slipway,");
}

/** The service that was named (by an option where that is said), else that of the repository here. */
export function serviceOr(named: string | undefined, option?: string): ServiceName {
  const service = named === undefined ? serviceHere() : typed(ServiceNameSchema, named, option);
  if (service !== undefined) return service;
  throw new Unusable(
    "Which service? There is no slipway.yaml here or above, and no remote called slipway.",
    "Name the service (with --service where the command is about something else), or go into its repository.",
  );
}

/** The commit that is checked out. Throws Unusable where there is none. */
export async function headHere(): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)("git", ["rev-parse", "--verify", "HEAD^{commit}"], {
      timeout: 10_000,
    });
    return stdout.trim();
  } catch {
    throw new Unusable(
      "Which version? This folder is in no git repository with a commit.",
      "Name the version: a commit or a digest.",
    );
  }
}
