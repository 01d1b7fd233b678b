import { globSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parse } from "yaml";
import { variablesOfFiles } from "../../src/config-files.ts";
import { hostVariables } from "../../src/index.ts";

/** The checkout. */
export const root = resolve(import.meta.dirname, "../../../..");

export const read = (path: string): string => readFileSync(join(root, path), "utf8");
export const readYaml = (path: string): unknown => parse(read(path), { merge: true });

/** The six services as their own sources name them. */
export function servicesOfTree(): ReadonlyMap<string, { readonly schema: string }> {
  const modules = globSync("services/*/src/module.ts", { cwd: root }).map(read);
  return new Map(
    modules.map((text) => {
      const found = /name: "([a-z-]+)",\s+schema: "([a-z]+)"/.exec(text);
      if (found === null) throw new Error(`a module without name and schema: ${text.slice(0, 80)}`);
      return [found[1] ?? "", { schema: found[2] ?? "" }];
    }),
  );
}

/** Every SLIPWAY_ variable that a service reads: the host's, a service's own, addresses, and those of files. */
export function knownVariables(): ReadonlySet<string> {
  const own = globSync(["services/*/src/{module,config}.ts", "packages/secrets/src/keys.ts"], { cwd: root }).flatMap(
    (path) => [...read(path).matchAll(/^ {2}(SLIPWAY_[A-Z_]+):/gm)].map(([, name]) => name ?? ""),
  );
  const addresses = [...servicesOfTree().keys()].map(
    (name) => `SLIPWAY_${name.toUpperCase().replaceAll("-", "_")}_URL`,
  );
  return new Set([...hostVariables(), ...own, ...addresses, ...variablesOfFiles.map((name) => `${name}_FILE`)]);
}

export const variablesIn = (text: string): readonly string[] => [...new Set(text.match(/SLIPWAY_[A-Z]+[A-Z_]*[A-Z]/g))];
