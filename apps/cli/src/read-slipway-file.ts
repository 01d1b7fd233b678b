import { existsSync, readFileSync } from "node:fs";
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

export { fileErrorText } from "@slipway/pipeline";

export type FolderFile = {
  readonly parsed: ParsedFile;
  /** What was detected and why, where the folder has no slipway.yaml. */
  readonly detected: readonly string[];
};

/** The pipeline of a folder as the build service would have it: from slipway.yaml, or detected. Throws where there is neither. */
export async function readSlipwayFile(folder: string): Promise<FolderFile> {
  try {
    return { parsed: parseSlipwayYaml(readFileSync(join(folder, "slipway.yaml"), "utf8")), detected: [] };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
  if (!existsSync(folder)) throw new Unusable(`There is no folder ${folder}.`);
  const found = detectFile(await readRepository(folder), serviceNameFrom(basename(resolve(folder))));
  if (found.kind === "undetected") {
    throw new Unusable(`There is no slipway.yaml in ${folder}, and ${undetectedLines(found).join("\n")}`);
  }
  const detected = ["there is no slipway.yaml; detected:", ...detectionLines(found).map((line) => `  ${line}`)];
  return { parsed: parseSlipwayYaml(found.text), detected };
}
