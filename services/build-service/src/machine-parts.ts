import { join } from "node:path";
import { findRegistries, findToolchain } from "@slipway/executor";
import { makeNodeBaseLayer } from "@slipway/oci";
import type { BuildWorld, MachineTools } from "./build-world.ts";

/** What is made of this machine at the first asking: the base layer, and its toolchain with its registries. */
export function machineParts(dataDir: string): Pick<BuildWorld, "baseLayer" | "machineTools"> {
  const dir = join(dataDir, "base");
  const machineTools = once(async (): Promise<MachineTools> => {
    const [registries, toolchain] = await Promise.all([findRegistries(), findToolchain()]);
    return { registries, toolchain };
  });
  return { machineTools, baseLayer: once(() => makeNodeBaseLayer({ nodePath: process.execPath, dir })) };
}

/** Makes a thing at the first asking; a failure is forgotten, so that the next one tries again. */
function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    made ??= make().catch((error: unknown) => {
      made = undefined;
      throw error;
    });
    return made;
  };
}
