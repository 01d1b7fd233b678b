import type { Mesh, MeshOptions } from "./types.ts";

/** Routes requests of one region. Resolves when it listens; routes follow as soon as the API answers. */
export function startMesh(_options: MeshOptions): Promise<Mesh> {
  throw new Error("not written yet");
}
