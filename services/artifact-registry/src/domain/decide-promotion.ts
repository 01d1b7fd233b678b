import { type Machine, type Refusal, refuse, type Step, step } from "@slipway/kernel";
import type {
  Approval,
  ArtifactEvent,
  Promotion,
  PromotionCommand,
  PromotionInput,
  PromotionRequest,
} from "./promotion.ts";

type Answer = Step<Promotion, PromotionCommand> | Refusal;
type Pending = Extract<Promotion, { phase: "pending" }>;

export const promotionMachine: Machine<Promotion, PromotionInput, PromotionCommand> = {
  name: "promotion",
  terminal: ["promoted", "rejected"],
  decide(state, input) {
    return state.phase === "pending" ? onPending(state, input) : onDecided(state, input);
  },
};

/** The first state of a promotion that may be asked for, with what is to be said about it. */
export function openPromotion(request: PromotionRequest): Step<Promotion, PromotionCommand> {
  const requested: PromotionCommand = {
    type: "Publish",
    at: request.requestedAt,
    event: {
      type: "artifact.promotion_requested",
      data: { ...about(request), approvals_needed: request.approvalsNeeded },
    },
  };
  if (request.approvalsNeeded > 0) return step({ phase: "pending", request, approvals: [] }, [requested]);
  const promoted = grant({ phase: "pending", request, approvals: [] }, [], request.requestedAt);
  return step(promoted.state, [requested, ...promoted.commands]);
}

function onPending(state: Pending, input: PromotionInput): Answer {
  if (input.type === "MarkedBad")
    return reject(state, `rolled back in ${input.environment}: ${input.reason}`, input.now);
  if (input.type === "Revised")
    return reject(state, `registered again by ${input.by} with another configuration`, input.now);
  if (input.by === state.request.requestedBy) {
    const detail = `${input.by} asked for ${state.request.id} and may not approve it.`;
    return refuse("promotion.self_approval", detail, "Ask another approver.");
  }
  if (state.approvals.some((approval) => approval.by === input.by)) return step(state);
  const approvals = [...state.approvals, { by: input.by, at: input.now, reason: input.reason }];
  if (approvals.length < state.request.approvalsNeeded) return step({ ...state, approvals });
  return grant(state, approvals, input.now);
}

/** The same person approving again is the same approval; anybody else comes too late. */
function onDecided(state: Exclude<Promotion, Pending>, input: PromotionInput): Answer {
  if (input.type !== "Approve") return step(state);
  if (state.phase === "promoted" && state.approvals.some((approval) => approval.by === input.by)) return step(state);
  return refuse("promotion.closed", `${state.request.id} is ${state.phase} already.`);
}

function grant(state: Pending, approvals: readonly Approval[], now: Promotion["request"]["requestedAt"]) {
  const approved_by = approvals.map((approval) => approval.by);
  const event: ArtifactEvent = { type: "artifact.promoted", data: { ...about(state.request), approved_by } };
  const promoted: Promotion = { phase: "promoted", request: state.request, approvals, decidedAt: now };
  return step<Promotion, PromotionCommand>(promoted, [{ type: "Publish", at: now, event }]);
}

function reject(state: Pending, reason: string, now: Promotion["request"]["requestedAt"]) {
  const event: ArtifactEvent = { type: "artifact.rejected", data: { ...about(state.request), reason } };
  const rejected: Promotion = { ...state, phase: "rejected", decidedAt: now, reason };
  return step<Promotion, PromotionCommand>(rejected, [{ type: "Publish", at: now, event }]);
}

function about(request: PromotionRequest) {
  return {
    digest: request.digest,
    service: request.service,
    git_sha: request.gitSha,
    promotion_id: request.id,
    from: request.from,
    to: request.to,
    requested_by: request.requestedBy,
  };
}
