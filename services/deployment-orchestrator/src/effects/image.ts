import { getArtifact, publishArtifact } from "@slipway/contracts";
import type { Outcome } from "@slipway/durable";
import { msBetween } from "@slipway/kernel";
import { imageCopying, imageMissing, imageMoved, isToBeAskedFor } from "../domain/image-wait.ts";
import type { Input } from "../domain/input.ts";
import { type Context, currentState, type Ports, type Result } from "./ports.ts";

const askAgainMs = 1_000;
/** While the artifact-registry is rolled out its processes may differ in where they publish: what one does not know another may. */
const rolloutMs = 10 * 60_000;

/**
 * Waits until the image is where the deployment's pods are to pull it from. A copy that was never begun, has failed before anybody asked for this deployment, or was
 * last seen there long before that, is asked for; one that fails while the deployment waits ends it.
 */
export async function awaitImage(ports: Ports, ctx: Context): Result {
  const { plan } = await currentState(ctx);
  const params = { digest: plan.digest };
  const { publication } = await ports.client.call(getArtifact, { params });
  if (publication == null || publication.image !== plan.workload.image) {
    const reason = imageMoved(plan.workload.image);
    const isYoung = msBetween(plan.createdAt, ports.clock.now()) < rolloutMs;
    return isYoung ? { kind: "retry", afterMs: askAgainMs, reason } : missing(reason);
  }
  const isAsked = !isToBeAskedFor(publication, plan.createdAt);
  // One key for each asking, so that its call may be sent again over another connection; a later one is meant to begin anew.
  const idempotencyKey = `${ctx.commandId}/${ctx.attempt}`;
  if (!isAsked) await ports.client.call(publishArtifact, { params, body: {}, idempotencyKey });
  else if (publication.status === "PUBLISHED") return { kind: "done" };
  else if (publication.status === "FAILED") return missing(imageMissing(publication));
  return { kind: "retry", afterMs: askAgainMs, reason: imageCopying(publication) };
}

function missing(reason: string): Outcome<Input> {
  return { kind: "fact", fact: (now) => ({ type: "ImageMissing", reason, now }) };
}
