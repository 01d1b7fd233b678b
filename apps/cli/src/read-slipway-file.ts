import { readFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import {
  detectFile,
  detectionLines,
  type ParsedFile,
  parseSlipwayYaml,
  readRepository,
  serviceNameFrom,
  undetectedLines,
} from "@slipway/pipeline";
import { Unusable } from "./exit-codes.ts";
import { requireFolder } from "./require-folder.ts";

export { fileErrorText } from "@slipway/pipeline";

export type FolderFile = {
  readonly parsed: ParsedFile;
  /** What was detected and why, where the folder has no slipway.yaml. */
  readonly detected: readonly string[];
};

/** The pipeline of a folder as the build service would have it: from slipway.yaml, or detected. Throws where there is neither. */
export async function readSlipwayFile(folder: string): Promise<FolderFile> {
  requireFolder(folder);
  const text = textOf(join(folder, "slipway.yaml"));
  if (text !== undefined) return { parsed: parseSlipwayYaml(text), detected: [] };
  const found = detectFile(await readRepository(folder), serviceNameFrom(basename(resolve(folder))));
  if (found.kind === "undetected") {
    throw new Unusable(`There is no slipway.yaml in ${folder}, and ${undetectedLines(found).join("\n")}`);
  }
  const detected = ["there is no slipway.yaml; detected:", ...detectionLines(found).map((line) => `  ${line}`)];
  return { parsed: parseSlipwayYaml(found.text), detected };
}

/** Undefined where there is no such file. */
function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return undefined;
    throw new Unusable(`${path} cannot be read (${code}).`);
  }
}
