import { realpath } from "node:fs/promises";
import { sorted } from "./entries.ts";
import { furniture, nameLookups } from "./furniture.ts";
import { epochStart, makeLayer } from "./layer.ts";
import { fileEntry, librariesOf, withLoadedLater } from "./linked-libraries.ts";
import type { Layer } from "./types.ts";

/**
 * The base layer `node24`: the given Node binary as /usr/bin/node, the shared libraries it is linked to, and the few files
 * of /etc without which name look-ups fail. Made once per binary and kept in `dir`; the same binary gives the same digest.
 */
export async function makeNodeBaseLayer(options: { readonly nodePath: string; readonly dir: string }): Promise<Layer> {
  const node = await realpath(options.nodePath);
  const libraries = await withLoadedLater(await librariesOf([node]), nameLookups);
  const entries = [
    ...furniture,
    await fileEntry("usr/bin/node", node),
    ...(await Promise.all(libraries.map((path) => fileEntry(path.slice(1), path)))),
  ];
  return makeLayer({ entries: sorted(entries), mtime: epochStart, cacheDir: options.dir });
}
