import { join } from "node:path";
import { OciError } from "./errors.ts";
import { readBlob, readSmallFile, requireFolders, sourceOf } from "./layout.ts";
import { readJson } from "./read-image.ts";
import { ImageIndex, ImageManifest } from "./types.ts";

/** Checks that a layout is whole, whatever its one manifest is of: every blob that it names is there, with the bytes that its digest says. Throws OciError. */
export async function checkLayout(folder: string): Promise<void> {
  await requireFolders(folder);
  const { manifests } = readJson(ImageIndex, await readSmallFile(join(folder, "index.json")), "index");
  const [named, ...more] = manifests;
  if (named === undefined || more.length > 0) throw new OciError("invalid", "it does not name one manifest");
  const { config, layers } = readJson(ImageManifest, await readBlob(folder, named), "manifest");
  for (const descriptor of [config, ...layers]) await sourceOf(folder, descriptor);
}
