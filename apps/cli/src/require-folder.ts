import { existsSync, statSync } from "node:fs";
import { Unusable } from "./exit-codes.ts";

/** Throws Unusable where there is none, or a file in its place. */
export function requireFolder(path: string): void {
  if (!existsSync(path)) throw new Unusable(`There is no folder ${path}.`);
  if (!statSync(path).isDirectory())
    throw new Unusable(`${path} is no folder.`, "Name the folder of the repository, in which slipway.yaml lies.");
}
