import type { artifactTopic, EventOf } from "@slipway/contracts";
import type { DeploymentEvent } from "./about-deployments.ts";
import { listing, type Wait } from "./notice.ts";

/** What an event decides that notices before it said to wait: of which thing, of which kind, and how it was decided. */
export type Settling = { readonly about: string; readonly waits: readonly Wait[]; readonly how: string };

const whatever: readonly Wait[] = ["approval", "resume"];

/** Undefined for an event by which nothing is decided that somebody was asked for. */
export function settledByDeployment({ type, data }: DeploymentEvent): Settling | undefined {
  const about = data.deployment_id;
  switch (type) {
    case "deployment.approved":
      return { about, waits: ["approval"], how: `approved by ${data.by}` };
    case "deployment.resumed":
      return { about, waits: ["resume"], how: `resumed by ${data.by}` };
    case "deployment.step_started":
      return { about, waits: whatever, how: `it went on to ${data.weight_percent}%` };
    case "deployment.succeeded":
      return { about, waits: whatever, how: "it serves 100%" };
    case "deployment.restoring":
      return { about, waits: whatever, how: `taken back by ${data.by}: ${data.reason}` };
    case "deployment.rolled_back":
    case "deployment.failed":
    case "deployment.cancelled":
    case "deployment.superseded":
      return { about, waits: whatever, how: `it has ended: ${data.reason}` };
    default:
      return undefined;
  }
}

export function settledByArtifact({ type, data }: EventOf<typeof artifactTopic>): Settling | undefined {
  switch (type) {
    case "artifact.promoted":
      return { about: data.promotion_id, waits: ["approval"], how: `approved by ${listing(data.approved_by)}` };
    case "artifact.rejected":
      return { about: data.promotion_id, waits: ["approval"], how: `rejected: ${data.reason}` };
    default:
      return undefined;
  }
}
