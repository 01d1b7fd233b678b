import { existsSync } from "node:fs";
import { dirname, resolve } from "node:path";

/** The folder that holds `migrations/`: of the checkout, the bundle or the image. The working folder where there is none. */
export function platformRoot(): string {
  for (let folder = import.meta.dirname; ; folder = dirname(folder)) {
    if (existsSync(resolve(folder, "migrations", "durable"))) return folder;
    if (folder === dirname(folder)) return process.cwd();
  }
}
