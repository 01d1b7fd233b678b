import { accessSync, constants, mkdirSync } from "node:fs";
import { join } from "node:path";
import { userCache } from "@slipway/host";

/** In the user's cache, for all data folders of the machine; in the data folder where there is no cache that can be written. */
export function basesFolder(dataDir: string): string {
  const folder = userCache("bases");
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    accessSync(folder, constants.W_OK);
    return folder;
  } catch {
    return join(dataDir, "base");
  }
}
