/** As much of slipway.yaml as says who makes the image. */
type ImageSketch = {
  readonly image: { readonly from?: string | undefined };
  /** The keys of `image` as they are written; undefined where there is no map. */
  readonly imageKeys: readonly string[] | undefined;
  readonly pipeline: Readonly<Record<string, { readonly uses?: unknown }>>;
};

/** Keys of `image` that say what the platform puts into one, in the order of the guide. */
const ownKeys = ["base", "copy", "exclude", "command", "env"] as const;

/** Whether the image is the platform's own to make, which takes `copy` and `command`, or a Dockerfile's, which leaves nothing to say. */
export function builtImageProblems({ image, imageKeys, pipeline }: ImageSketch): { path: string[]; message: string }[] {
  if (imageKeys === undefined) return [];
  const builds = Object.entries(pipeline).flatMap(([name, { uses }]) => (uses === "dockerfile" ? [name] : []));
  if (image.from !== undefined && builds.includes(image.from)) {
    return ownKeys
      .filter((key) => imageKeys.includes(key))
      .map((key) => ({
        path: ["image", key],
        message: `image.${key}: the Dockerfile of the step "${image.from}" says what its image is; leave it out`,
      }));
  }
  const missing = (["copy", "command"] as const).filter((key) => !imageKeys.includes(key));
  const [build] = builds;
  if (build !== undefined && image.from === undefined && missing.length === 2)
    return [{ path: ["image"], message: `image: the step "${build}" builds one: take it by from: ${build}` }];
  return missing.map((key) => ({ path: ["image", key], message: `image.${key}: is missing; it takes a list` }));
}
