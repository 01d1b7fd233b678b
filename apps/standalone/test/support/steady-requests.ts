import { splitOf } from "./mesh.ts";

/** Sends requests through the mesh of every region, round after round, until it is stopped. A mesh that does not answer costs only its round. */
export function steadyRequests(regions: Readonly<Record<string, { readonly mesh: number }>>): {
  stop(): Promise<void>;
} {
  let stopped = false;
  const loops = Object.values(regions).map(async ({ mesh }) => {
    while (!stopped) await splitOf(`http://127.0.0.1:${mesh}`, 200).catch(() => undefined);
  });
  return {
    async stop() {
      stopped = true;
      await Promise.all(loops);
    },
  };
}
