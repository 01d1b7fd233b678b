import type { TestProject } from "vitest/node";
import { bundle } from "./bundle.ts";

/** One bundle for all files of the project; each starts platforms on data folders of its own. */
export async function setup({ name }: TestProject): Promise<void> {
  await bundle(name);
}
