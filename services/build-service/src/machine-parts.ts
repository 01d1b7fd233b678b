import { dirname, join } from "node:path";
import { findRegistries, findToolchain } from "@slipway/executor";
import { openImageSource, type RegistryAccess } from "@slipway/oci";
import { openStepCaches, parseImageRegistries } from "@slipway/pipeline";
import { openBases } from "./bases.ts";
import type { BuildWorld } from "./build-world.ts";
import type { BuildServiceConfig } from "./config.ts";
import { once } from "./once.ts";

type MachineParts = Pick<BuildWorld, "bases" | "images" | "imageRegistries" | "caches" | "toolchain" | "registries">;

/** What builds take from this machine and keep on it. `own` is this platform's registry, by the host that images name it by. */
export function machineParts(
  dataDir: string,
  config: BuildServiceConfig,
  own: (host: string) => RegistryAccess | undefined,
): MachineParts {
  const reached = parseImageRegistries(config.SLIPWAY_IMAGE_REGISTRIES);
  const images = openImageSource({
    into: join(dataDir, "images"),
    access: (host) => (Object.hasOwn(reached, host) ? reached[host] : own(host)),
  });
  const ownCode = dirname(process.argv[1] ?? process.execPath);
  const toolchain = once(() => findToolchain([dataDir, ownCode]));
  const stepPython = async () => (await toolchain()).python;
  return {
    images,
    imageRegistries: reached,
    bases: openBases({ dir: config.SLIPWAY_BASES ?? join(dataDir, "base"), images, stepPython }),
    caches: openStepCaches({ dir: join(dataDir, "caches"), maxBytes: config.SLIPWAY_CACHE_MIB * 1_048_576 }),
    toolchain,
    registries: once(findRegistries),
  };
}
