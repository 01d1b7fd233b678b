import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type ParsedFile, parseSlipwayYaml } from "@slipway/pipeline";
import { Unusable } from "./exit-codes.ts";

export { fileErrorText } from "@slipway/pipeline";

/** slipway.yaml of a folder, as the build service reads it. Throws where there is none. */
export function readSlipwayFile(folder: string): ParsedFile {
  try {
    return parseSlipwayYaml(readFileSync(join(folder, "slipway.yaml"), "utf8"));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    throw new Unusable(`There is no slipway.yaml in ${folder}.`, "examples/order-service has one to start from.");
  }
}
