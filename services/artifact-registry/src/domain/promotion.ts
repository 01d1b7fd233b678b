import type { artifactTopic, EventOf } from "@slipway/contracts";
import type { Digest, EnvironmentName, GitSha, Instant, PromotionId, ServiceName } from "@slipway/kernel";

/**
 * One artifact on its way into one environment:
 *
 *   pending ── Approve (enough) ──▶ promoted
 *      └────── MarkedBad, Revised ▶ rejected
 *
 * Both ends are final. A promotion that needs nobody's approval is born promoted.
 */
export type Promotion =
  | (Pending & { readonly phase: "pending" })
  | (Pending & { readonly phase: "promoted"; readonly decidedAt: Instant })
  | (Pending & { readonly phase: "rejected"; readonly decidedAt: Instant; readonly reason: string });

export type PromotionRequest = {
  readonly id: PromotionId;
  readonly digest: Digest;
  readonly service: ServiceName;
  readonly gitSha: GitSha;
  readonly from: EnvironmentName;
  readonly to: EnvironmentName;
  readonly requestedBy: string;
  readonly requestedAt: Instant;
  readonly approvalsNeeded: number;
};

export type Approval = { readonly by: string; readonly at: Instant; readonly reason: string | null };

type Pending = { readonly request: PromotionRequest; readonly approvals: readonly Approval[] };

export type PromotionInput =
  /** A person says yes. */
  | { readonly type: "Approve"; readonly by: string; readonly reason: string | null; readonly now: Instant }
  /** The artifact was found bad in an environment on the way. */
  | {
      readonly type: "MarkedBad";
      readonly environment: EnvironmentName;
      readonly reason: string;
      readonly now: Instant;
    }
  /** The artifact was registered again with another configuration: what was asked for is not what it is now. */
  | { readonly type: "Revised"; readonly by: string; readonly now: Instant };

export type ArtifactEvent = EventOf<typeof artifactTopic>;

export type PublishEvent = { readonly type: "Publish"; readonly at: Instant; readonly event: ArtifactEvent };

export type PromotionCommand = PublishEvent;
