import type { RegistryClient } from "./client.ts";
import type { ImageRequest, WrittenImage } from "./types.ts";

/** Builds an image of the base layers and one layer of files, pushes what the registry lacks, and puts its manifest. */
export function writeImage(_request: ImageRequest & { readonly client: RegistryClient }): Promise<WrittenImage> {
  throw new Error("not written yet");
}
