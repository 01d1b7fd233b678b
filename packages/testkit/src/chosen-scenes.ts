import type { Scene } from "./state-recorder.ts";

/** Of each version and phase the scene that left the most to be done; a soak goes on with all of them. */
export function chosenScenes<S extends Scene & { readonly version: string }>(scenes: readonly S[]): readonly S[] {
  if (Number(process.env.SLIPWAY_TEST_CASES_FACTOR) > 1) return scenes;
  const chosen = new Map<string, S>();
  for (const scene of scenes) {
    const key = `${scene.version} ${scene.phase}`;
    if (scene.commands.length > (chosen.get(key)?.commands.length ?? -1)) chosen.set(key, scene);
  }
  return [...chosen.values()];
}
