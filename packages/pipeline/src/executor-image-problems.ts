import { tmpdir } from "node:os";
import { join } from "node:path";
import { readImageName } from "@slipway/contracts";
import { readKubernetesUrl } from "@slipway/executor";
import { type ImageSource, OciError, openImageSource } from "@slipway/oci";
import { type ImageRegistries, parseImageRegistries } from "./image-registries.ts";

const withinMs = 5_000;

/**
 * Which images of SLIPWAY_EXECUTOR their registries say they do not have, a sentence each. Registries that cannot be asked from here, or want a
 * password that only the nodes have (`pull_secret`), have said nothing. Not for looking again and again: Docker Hub counts each as a pull. Never rejects.
 */
export async function executorImageProblems(executorUrl: string, registries: string): Promise<readonly string[]> {
  let names: readonly (readonly [setting: string, image: string | undefined])[];
  let reached: ImageRegistries;
  try {
    const { image, builder } = readKubernetesUrl(executorUrl);
    names = [
      ["image", image],
      ["buildkit_image", builder?.image],
    ] as const;
    reached = parseImageRegistries(registries);
  } catch {
    // What cannot be read is said where the variable is.
    return [];
  }
  const images = openImageSource({
    into: join(tmpdir(), "slipway-nothing-is-unpacked"),
    access: (host) => reached[host],
    deadlineMs: withinMs,
  });
  try {
    const found = names.map(async ([setting, image]) =>
      image !== undefined && (await isAbsent(images, image))
        ? `the registry of ${image} has no such image, so that nodes cannot pull it: correct ${setting}= in SLIPWAY_EXECUTOR, or push it there`
        : undefined,
    );
    return (await Promise.all(found)).filter((problem) => problem !== undefined);
  } finally {
    await images.close();
  }
}

async function isAbsent(images: ImageSource, image: string): Promise<boolean> {
  const name = readImageName(image);
  if (name === undefined) return false;
  try {
    await images.resolve(name, AbortSignal.timeout(withinMs));
    return false;
  } catch (error) {
    return error instanceof OciError && error.kind === "not_found";
  }
}
