import { accessSync, constants, realpathSync } from "node:fs";
import { basename, join } from "node:path";
import { findCertificates, librariesOf } from "@slipway/oci";
import type { Mount } from "./types.ts";

/** A program as the first words of a command. */
type Words = readonly string[];

/** The programs that stand between the isolation and the step, as they are called inside. */
export type InsideTools = {
  readonly prlimit: Words;
  readonly setpriv: Words;
  readonly env: Words;
  readonly node: Words;
};

/** Tools of this machine that run in any root: beside them are their own libraries and the loader that finds them. */
export type CarriedTools = InsideTools & {
  readonly mounts: readonly Mount[];
  /** The certificates that this machine trusts, inside; undefined where it has none. */
  readonly certificates: string | undefined;
};

/** In the machine's own root everything is where it is on the machine. */
export const machineTools: InsideTools = {
  prlimit: ["/usr/bin/prlimit"],
  setpriv: ["setpriv"],
  env: ["/usr/bin/env"],
  node: ["node"],
};

/** The one top-level folder that the platform adds to a step's root. */
export const platformInside = "/slipway";
const librariesInside = `${platformInside}/lib`;
const searchPath = ["/usr/bin", "/bin", "/usr/sbin", "/sbin", "/usr/local/bin"];

const found = new Map<string, Promise<CarriedTools>>();

/** Finds the tools once. An image may have another C library than this machine, an older one, or none: nothing of it is needed. */
export function carriedTools(nodePath: string): Promise<CarriedTools> {
  const known = found.get(nodePath);
  if (known !== undefined) return known;
  const made = find(nodePath).catch((error: unknown) => {
    found.delete(nodePath);
    throw error;
  });
  found.set(nodePath, made);
  return made;
}

async function find(nodePath: string): Promise<CarriedTools> {
  const programs = {
    prlimit: pathOf("prlimit"),
    setpriv: pathOf("setpriv"),
    env: pathOf("env"),
    node: realpathSync(nodePath),
  };
  const libraries = await librariesOf(Object.values(programs));
  const loader = libraries.find((path) => /^ld[-.]/.test(basename(path)));
  const prefix: Words =
    loader === undefined ? [] : [`${librariesInside}/${basename(loader)}`, "--library-path", librariesInside];
  const words = (name: keyof InsideTools): Words => [...prefix, `${platformInside}/bin/${name}`];
  const certificates = await findCertificates();
  const bundle = `${platformInside}/certificates.crt`;
  return {
    ...{ prlimit: words("prlimit"), setpriv: words("setpriv"), env: words("env"), node: words("node") },
    mounts: [
      ...Object.entries(programs).map(([name, from]) => ({ from, to: `${platformInside}/bin/${name}` })),
      ...libraries.map((path) => ({ from: realpathSync(path), to: `${librariesInside}/${basename(path)}` })),
      ...(certificates === undefined ? [] : [{ from: realpathSync(certificates), to: bundle }]),
    ],
    certificates: certificates === undefined ? undefined : bundle,
  };
}

function pathOf(name: string): string {
  for (const folder of searchPath) {
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return realpathSync(path);
    } catch {
      // Looked for in the next folder.
    }
  }
  throw new Error(`${name} is not installed on this machine`);
}
