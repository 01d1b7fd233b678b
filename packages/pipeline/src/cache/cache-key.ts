import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { lstat } from "node:fs/promises";
import { realPlace } from "./real-path.ts";

/** What has to be the same for kept folders to fit a step. */
export type CacheUse = {
  readonly service: string;
  readonly step: string;
  readonly run: string;
  readonly env: Readonly<Record<string, string>>;
  /** The image by its digest, or the versions of this machine's toolchain. */
  readonly tools: string;
  readonly paths: readonly string[];
};

export type CacheKey =
  | { readonly kind: "key"; readonly key: string }
  | { readonly kind: "missing"; readonly path: string };

/** Hashes a use together with the content of its key files. A key file that is not a plain file of the workspace makes no key. */
export async function cacheKey(use: CacheUse, files: readonly string[], workspace: string): Promise<CacheKey> {
  const contents: [string, string][] = [];
  for (const path of files) {
    const place = await realPlace(workspace, path);
    const found = place === undefined ? undefined : await lstat(place).catch(() => undefined);
    if (place === undefined || found?.isFile() !== true) return { kind: "missing", path };
    contents.push([path, await contentHash(place)]);
  }
  return { kind: "key", key: keyOf(use, contents) };
}

/** Pure: 64 hex digits. Each part is told apart from the next, whatever is in it. */
export function keyOf(use: CacheUse, contents: readonly (readonly [path: string, hash: string])[]): string {
  const env = Object.entries(use.env).sort(([a], [b]) => (a < b ? -1 : 1));
  const whole = [1, use.service, use.step, use.run, env, use.tools, use.paths, contents];
  return createHash("sha256").update(JSON.stringify(whole)).digest("hex");
}

async function contentHash(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array);
  return hash.digest("hex");
}
