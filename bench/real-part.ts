import { rmSync } from "node:fs";
import type { RealPart } from "../packages/testkit/src/index.ts";

/** What is used here of the scripts of `npm run test:real`. */
type Scripts = {
  cacheFolder(): string;
  readParts(cache: string): readonly { readonly name: string }[];
  have(part: unknown, sources: undefined, say: (text: string) => void): RealPart;
  makeRunFolder(): string;
};

/** A part of `npm run test:real`, fetched where it is not in the cache, and a folder in which its servers keep their data. */
export async function bringPart(name: string): Promise<RealPart> {
  const folder = new URL("../scripts/real/", import.meta.url).href;
  const scripts: Scripts = { ...(await import(`${folder}cache.mjs`)), ...(await import(`${folder}run-folder.mjs`)) };
  if (process.env.SLIPWAY_REAL_RUN === undefined) {
    const run = scripts.makeRunFolder();
    process.env.SLIPWAY_REAL_RUN = run;
    process.once("exit", () => rmSync(run, { recursive: true, force: true }));
  }
  const part = scripts.readParts(scripts.cacheFolder()).find((one) => one.name === name);
  return scripts.have(part, undefined, (text) => void process.stderr.write(`${text}\n`));
}
