import type { PublicationView } from "@slipway/contracts";
import { type Instant, msBetween, type Waiting } from "@slipway/kernel";

/** What was found there so long ago may have been removed by the registry's own rules since. */
const trustedForMs = 24 * 3_600_000;

/** Whether pods can be told to pull the image, by what is known at that moment. */
export function isThere({ status, seen_at }: Pick<PublicationView, "status" | "seen_at">, at: Instant): boolean {
  return status === "PUBLISHED" && seen_at !== null && msBetween(seen_at, at) < trustedForMs;
}

/** Whether its copy is to be asked for: it was never begun, or has failed, or was found there too long ago, before the deployment that wants it. */
export function isToBeAskedFor(
  publication: Pick<PublicationView, "status" | "seen_at" | "ended_at">,
  wantedAt: Instant,
): boolean {
  const { status, ended_at } = publication;
  if (status === "FAILED") return ended_at === null || ended_at < wantedAt;
  return status !== "COPYING" && !isThere(publication, wantedAt);
}

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
