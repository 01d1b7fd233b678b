import type { PublicationView } from "@slipway/contracts";
import type { Instant, Waiting } from "@slipway/kernel";

type Copy = Pick<PublicationView, "host" | "waiting" | "reason">;

/** Why a deployment waits for its image, as a clause that goes on after `waiting for`. */
export function imageCopying({ host, waiting }: Copy): string {
  return `its image, which is being copied to ${host}${waiting === null ? "" : ` (${waiting.for})`}`;
}

export function imageMissing({ host, reason }: Copy): string {
  return `its image was not copied to ${host}: ${reason ?? "nobody said why"}; then deploy it again`;
}

/** The operator has named another place, or none, since the deployment was asked for. */
export function imageMoved(image: string): string {
  return `its image was to be pulled as ${image}, and images are published elsewhere now (SLIPWAY_PUBLISH_TO): deploy it again`;
}

/** `reason`: of the last attempt; null before there was one. */
export function waitingForImage(reason: string | null, since: Instant): Waiting {
  return {
    for: reason ?? "its image, where regions pull it from",
    since,
    unblockedBy: "the image is there, or its copy fails for good",
  };
}
