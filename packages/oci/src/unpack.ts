import type { Digest } from "@slipway/kernel";
import type { RegistryClient } from "./client.ts";
import type { UnpackedImage, UnpackLimits } from "./types.ts";

/**
 * Pulls an image by digest and unpacks it to `<into>/<hex>/root`, once per digest however many ask at the same time, in one
 * process or several. A folder that exists is complete.
 */
export function pullAndUnpack(_options: {
  readonly client: RegistryClient;
  readonly repository: string;
  readonly digest: Digest;
  readonly into: string;
  readonly limits?: Partial<UnpackLimits>;
  readonly signal?: AbortSignal;
}): Promise<UnpackedImage> {
  throw new Error("not written yet");
}
