import type { Layer } from "./types.ts";

/**
 * The base layer `node24`: the given Node binary as /usr/bin/node, the shared libraries it is linked to, and the few files
 * of /etc without which name look-ups fail. Made once per binary and kept in `dir`; the same binary gives the same digest.
 */
export function makeNodeBaseLayer(_options: { readonly nodePath: string; readonly dir: string }): Promise<Layer> {
  throw new Error("not written yet");
}
