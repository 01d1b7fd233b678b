import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { MeshPod, MeshService, MeshVirtualService } from "./objects.ts";
import type { RouteInputs } from "./routes.ts";

const Saved = z.object({
  services: z.array(MeshService),
  pods: z.array(MeshPod),
  virtualServices: z.array(MeshVirtualService),
});

/** What was routed last, for a proxy that starts while the API is away. Undefined where nothing usable is kept. */
export async function loadRoutes(dir: string): Promise<RouteInputs | undefined> {
  try {
    return Saved.parse(JSON.parse(await readFile(join(dir, "routes.json"), "utf8")));
  } catch {
    return undefined;
  }
}

/** Writes the newest routes; while one write runs, only the last one asked for waits. */
export function routeKeeper(dir: string): { keep(inputs: RouteInputs): void; settled(): Promise<void> } {
  const path = join(dir, "routes.json");
  let pending: RouteInputs | undefined;
  let writing: Promise<void> | undefined;
  const write = async (): Promise<void> => {
    await mkdir(dir, { recursive: true, mode: 0o700 });
    while (pending !== undefined) {
      const text = JSON.stringify(pending);
      pending = undefined;
      await writeFile(`${path}.new`, text, { mode: 0o600 });
      await rename(`${path}.new`, path);
    }
  };
  return {
    keep(inputs) {
      pending = inputs;
      // A full disk must not stop requests: the routes in memory are the ones that count.
      writing ??= write()
        .catch(() => undefined)
        .finally(() => {
          writing = undefined;
        });
    },
    settled: async () => writing,
  };
}
