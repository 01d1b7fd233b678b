import { randomUUID } from "node:crypto";
import { chmod, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { createGunzip, createZstdDecompress } from "node:zlib";
import type { Digest } from "@slipway/kernel";
import { z } from "zod";
import type { RegistryClient } from "./client.ts";
import { hashing, hexOf } from "./digest.ts";
import { OciError } from "./errors.ts";
import { type Budget, extractLayer } from "./extract.ts";
import { linkTree } from "./link-tree.ts";
import { oneAtATime } from "./one-at-a-time.ts";
import { requirePlatform, thisPlatform } from "./platform.ts";
import { fetchImage } from "./read-image.ts";
import type { Descriptor, ImageConfig, UnpackedImage, UnpackLimits } from "./types.ts";
import { layerMark, markUse, useMark } from "./unused-images.ts";

export type UnpackRequest = {
  readonly client: RegistryClient;
  readonly repository: string;
  readonly digest: Digest;
  /** Folder of this machine's images. Its processes may share it. */
  readonly into: string;
  readonly limits?: Partial<UnpackLimits>;
  readonly signal?: AbortSignal;
};

const defaultLimits: UnpackLimits = {
  entries: 200_000,
  bytes: 4 * 1024 ** 3,
  fileBytes: 2 * 1024 ** 3,
  layers: 128,
};

const Note = z.object({
  command: z.array(z.string()),
  env: z.record(z.string(), z.string()),
  workingDir: z.string(),
  user: z.string(),
});

/**
 * Pulls an image by digest and unpacks it to `<into>/<hex>/root`, once per digest however many ask at the same time, in one
 * process or several. A folder that exists is complete: it appears by a rename, after every digest was verified. The lowest
 * layer is kept unpacked and shared by hard links, so that a second image on the same base costs only its own files.
 */
export async function pullAndUnpack(request: UnpackRequest): Promise<UnpackedImage> {
  const home = join(request.into, hexOf(request.digest));
  await mkdir(request.into, { recursive: true, mode: 0o755 });
  await markUse(home, useMark);
  return oneAtATime({
    lock: `${home}.lock`,
    signal: request.signal,
    ready: () => readUnpacked(request.digest, home),
    make: async () => {
      await unpack(request, home);
      const made = await readUnpacked(request.digest, home);
      if (made === undefined) throw new OciError("invalid", "the unpacked image vanished");
      return made;
    },
  });
}

async function readUnpacked(digest: Digest, home: string): Promise<UnpackedImage | undefined> {
  const note = await readFile(join(home, useMark), "utf8").catch(() => undefined);
  return note === undefined ? undefined : { digest, root: join(home, "root"), ...Note.parse(JSON.parse(note)) };
}

async function unpack(request: UnpackRequest, home: string): Promise<void> {
  const limits = { ...defaultLimits, ...request.limits };
  const { manifest, config } = await fetchImage(request);
  // Said before a gigabyte is pulled; the kernel would only say "exec format error".
  requirePlatform(config, thisPlatform, `${request.repository}@${request.digest}`);
  if (manifest.layers.length > limits.layers)
    throw new OciError("too_large", `the image has over ${limits.layers} layers`);
  const temporary = join(request.into, `.making-${randomUUID()}`);
  const root = join(temporary, "root");
  const budget: Budget = { entries: 0, bytes: 0 };
  try {
    await mkdir(root, { recursive: true, mode: 0o755 });
    for (const [index, layer] of manifest.layers.entries()) {
      const diffId = config.rootfs.diff_ids[index];
      if (diffId === undefined) throw new OciError("invalid", "the image has more layers than its configuration says");
      if (index === 0) await linkTree(await sharedLayer(request, layer, diffId, limits, budget), root);
      else await applyLayer(request, layer, diffId, root, limits, budget);
    }
    await chmod(root, 0o755);
    await writeFile(join(temporary, useMark), JSON.stringify(configurationOf(config)));
    await chmod(temporary, 0o755);
    await publish(temporary, home);
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

/** The lowest layer, unpacked once for all images that stand on it. */
async function sharedLayer(
  request: UnpackRequest,
  layer: Descriptor,
  diffId: Digest,
  limits: UnpackLimits,
  budget: Budget,
): Promise<string> {
  const folder = join(request.into, "layers");
  const home = join(folder, hexOf(diffId));
  await mkdir(folder, { recursive: true, mode: 0o755 });
  await markUse(home, layerMark);
  return oneAtATime({
    lock: `${home}.lock`,
    signal: request.signal,
    ready: () =>
      readFile(join(home, layerMark)).then(
        () => join(home, "root"),
        () => undefined,
      ),
    make: async () => {
      const temporary = join(folder, `.making-${randomUUID()}`);
      try {
        await mkdir(join(temporary, "root"), { recursive: true, mode: 0o755 });
        await applyLayer(request, layer, diffId, join(temporary, "root"), limits, budget);
        await writeFile(join(temporary, layerMark), "");
        await publish(temporary, home);
        return join(home, "root");
      } finally {
        await rm(temporary, { recursive: true, force: true });
      }
    },
  });
}

/** Another process may have been as far: what it made is the same. */
async function publish(temporary: string, home: string): Promise<void> {
  await rename(temporary, home).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOTEMPTY" && error.code !== "EEXIST") throw error;
  });
}

async function applyLayer(
  request: UnpackRequest,
  layer: Descriptor,
  diffId: Digest,
  root: string,
  limits: UnpackLimits,
  budget: Budget,
): Promise<void> {
  const options = request.signal === undefined ? {} : { signal: request.signal };
  const blob = await request.client.getBlob(request.repository, layer.digest, options);
  const tar = hashing(decompressed(layer.mediaType, blob), (found) => {
    if (found !== diffId) throw new OciError("digest_mismatch", `the layer unpacks to ${found}, not to ${diffId}`);
  });
  await extractLayer({ tar, root, limits, budget, signal: request.signal });
}

function decompressed(mediaType: string, bytes: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  if (mediaType.endsWith(".tar")) return bytes;
  const unpacker = mediaType.endsWith("zstd") ? createZstdDecompress() : createGunzip();
  if (!/[+.](gzip|zstd)$/.test(mediaType))
    throw new OciError("invalid", `not a layer that can be unpacked: ${mediaType}`);
  const source = Readable.from(bytes, { objectMode: false });
  source.on("error", (error) => unpacker.destroy(error));
  unpacker.on("close", () => source.destroy());
  return source.pipe(unpacker);
}

/** How the image says that it is started. */
export function configurationOf(image: ImageConfig): z.infer<typeof Note> {
  const { Entrypoint, Cmd, Env, WorkingDir, User } = image.config;
  const pairs = (Env ?? []).map((pair): [string, string] => {
    const at = pair.indexOf("=");
    return at < 0 ? [pair, ""] : [pair.slice(0, at), pair.slice(at + 1)];
  });
  return {
    command: [...(Entrypoint ?? []), ...(Cmd ?? [])],
    env: Object.fromEntries(pairs),
    workingDir: WorkingDir === undefined || WorkingDir === null || WorkingDir === "" ? "/" : WorkingDir,
    user: User ?? "",
  };
}
