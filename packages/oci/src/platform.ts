import { arch } from "node:process";
import type { Digest } from "@slipway/kernel";
import { OciError } from "./errors.ts";
import type { ImageIndex } from "./types.ts";

export type Platform = { readonly architecture: string; readonly os: string };

/** Go's names of processors, which images use, by Node's. */
const names: Readonly<Record<string, string>> = { x64: "amd64", ia32: "386", ppc64: "ppc64le" };

/** What images of this machine have to be made for. */
export const thisPlatform: Platform = { architecture: names[arch] ?? arch, os: "linux" };

/** The manifest of an index that is made for a platform. Throws `invalid`, naming what there is, where none is. */
export function manifestFor(index: ImageIndex, platform: Platform, image: string): Digest {
  const fitting = index.manifests.filter(
    (manifest) => manifest.platform?.architecture === platform.architecture && manifest.platform.os === platform.os,
  );
  const best = fitting.find(({ platform: own }) => own?.variant === undefined || own.variant === "v8") ?? fitting[0];
  if (best !== undefined) return best.digest;
  // Attestations are listed beside the images, as of an unknown platform.
  const known = index.manifests.flatMap(({ platform: own }) =>
    own === undefined || own.os === "unknown" ? [] : `${own.os}/${own.architecture}`,
  );
  throw wrongPlatform(image, platform, known);
}

/** Throws `invalid` where an image is made for another platform. */
export function requirePlatform(found: Platform, platform: Platform, image: string): void {
  if (found.architecture === platform.architecture && found.os === platform.os) return;
  throw wrongPlatform(image, platform, [`${found.os}/${found.architecture}`]);
}

function wrongPlatform(image: string, { os, architecture }: Platform, known: readonly string[]): OciError {
  const has = known.length === 0 ? "names none" : `is for ${[...new Set(known)].join(", ")}`;
  return new OciError(
    "invalid",
    `${image} is not made for this machine (${os}/${architecture}; the image ${has}): name a tag that is`,
  );
}
