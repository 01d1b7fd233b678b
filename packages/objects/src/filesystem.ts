import type { Objects } from "./port.ts";

/** Objects as files under one folder. */
export function fileObjects(options: { readonly root: string }): Objects {
  throw new Error(`no objects under ${options.root} yet`);
}
