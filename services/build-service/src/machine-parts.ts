import { join } from "node:path";
import { findRegistries, findToolchain } from "@slipway/executor";
import { openImageSource, type RegistryAccess } from "@slipway/oci";
import { openStepCaches, parseImageRegistries } from "@slipway/pipeline";
import { openBases } from "./bases.ts";
import type { BuildWorld, MachineTools } from "./build-world.ts";
import type { BuildServiceConfig } from "./config.ts";
import { once } from "./once.ts";

type MachineParts = Pick<BuildWorld, "bases" | "images" | "caches" | "machineTools">;

/** What builds take from this machine and keep on it. `own` is this platform's registry, by the host that images name it by. */
export function machineParts(
  dataDir: string,
  config: BuildServiceConfig,
  own: (host: string) => RegistryAccess | undefined,
): MachineParts {
  const registries = parseImageRegistries(config.SLIPWAY_IMAGE_REGISTRIES);
  const images = openImageSource({
    into: join(dataDir, "images"),
    access: (host) => (Object.hasOwn(registries, host) ? registries[host] : own(host)),
  });
  const machineTools = once(async (): Promise<MachineTools> => {
    const [packages, toolchain] = await Promise.all([findRegistries(), findToolchain()]);
    return { registries: packages, toolchain };
  });
  const stepPython = async () => (await machineTools()).toolchain.python;
  return {
    images,
    bases: openBases({ dir: join(dataDir, "base"), images, stepPython }),
    caches: openStepCaches({ dir: join(dataDir, "caches"), maxBytes: config.SLIPWAY_CACHE_MIB * 1_048_576 }),
    machineTools,
  };
}
