import { sorted } from "./entries.ts";
import { certificateEntries, furniture } from "./furniture.ts";
import { epochStart, makeLayer } from "./layer.ts";
import type { Layer } from "./types.ts";

/** The base layer `static`, for programs that bring everything: the few files of /etc, and the certificates of this machine. */
export async function makeStaticBaseLayer(options: { readonly dir: string }): Promise<Layer> {
  const entries = [...furniture, ...(await certificateEntries())];
  return makeLayer({ entries: sorted(entries), mtime: epochStart, cacheDir: options.dir });
}
