import { ProblemError } from "@slipway/contracts";
import { appendAudit } from "@slipway/durable";
import type { Digest, EnvironmentName, Instant, PromotionId, Refusal } from "@slipway/kernel";
import type { Tx } from "@slipway/sql";
import { openPromotion } from "./domain/decide-promotion.ts";
import type { Promotion, PromotionRequest } from "./domain/promotion.ts";
import { barredBy, judgePromotion } from "./domain/promotion-rules.ts";
import { readPromotion, type Service } from "./service.ts";
import {
  type ArtifactRecord,
  addEnvironment,
  closePromotion,
  findPromotion,
  insertPromotion,
  lockArtifact,
  nextPromotion,
  promotionId,
  promotionsOf,
} from "./store/artifacts.ts";
import type { Tables } from "./store/tables.ts";

export type PromotionAsk = {
  readonly digest: Digest;
  readonly to: EnvironmentName;
  readonly by: string;
  readonly now: Instant;
};

/** Asks for a promotion. One that is open, or was granted, is answered instead of a second one. */
export async function requestPromotion(service: Service, ask: PromotionAsk): Promise<Promotion | Refusal> {
  const answer = await service.db.transaction().execute(async (tx) => {
    const artifact = await lockArtifact(tx, ask.digest);
    if (artifact === undefined) throw new ProblemError("artifact.not_found", `There is no artifact ${ask.digest}.`);
    return (await underWay(tx, artifact, ask.to)) ?? (await open(service, tx, artifact, ask));
  });
  return typeof answer === "string" ? readPromotion(service, answer) : answer;
}

async function underWay(
  tx: Tx<Tables>,
  artifact: ArtifactRecord,
  to: EnvironmentName,
): Promise<PromotionId | undefined> {
  const same = (await promotionsOf(tx, artifact.digest)).filter((promotion) => promotion.environment === to);
  const reached = artifact.environments.some((place) => place.environment === to);
  return (same.find((promotion) => promotion.open) ?? (reached ? same.at(-1) : undefined))?.id;
}

async function open(
  service: Service,
  tx: Tx<Tables>,
  artifact: ArtifactRecord,
  { digest, to, by, now }: PromotionAsk,
): Promise<Promotion | Refusal> {
  const allowed = judgePromotion(caseOf(service, artifact, to));
  if (allowed.kind === "refusal") return allowed;
  const number = await nextPromotion(tx);
  const id = promotionId(number);
  const request: PromotionRequest = {
    id,
    digest,
    to,
    service: artifact.service,
    gitSha: artifact.gitSha,
    from: allowed.from,
    requestedBy: by,
    requestedAt: now,
    approvalsNeeded: allowed.approvalsNeeded,
  };
  const { state, commands } = openPromotion(request);
  const pending = state.phase === "pending";
  await insertPromotion(tx, { number, digest, environment: to, open: pending, createdAt: now });
  await service.durable.create(tx, service.promotions, id, state, commands);
  await appendAudit(tx, { actor: by, action: "promotion.requested", subject: id, detail: chainOf(state), at: now });
  if (!pending) await recordGrant(tx, state, by, now);
  return state;
}

/** A person's yes. Throws promotion.not_found; answers the machine's refusal, or what bars the artifact since it was asked for. */
export async function approvePromotion(
  service: Service,
  approval: { readonly id: PromotionId; readonly by: string; readonly reason: string | null },
): Promise<Promotion | Refusal> {
  const { id, by, reason } = approval;
  const row = await findPromotion(service.db, id);
  if (row === undefined) throw new ProblemError("promotion.not_found", `There is no promotion ${id}.`);
  return service.db.transaction().execute(async (tx) => {
    const artifact = await lockArtifact(tx, row.digest);
    const open = (await findPromotion(tx, id))?.open === true;
    const barred = artifact && open ? barredBy(caseOf(service, artifact, row.environment)) : undefined;
    if (barred !== undefined) return barred;
    let decidedAt = "" as Instant;
    const input = (now: Instant) => {
      decidedAt = now;
      return { type: "Approve" as const, by, reason, now };
    };
    const answer = await service.durable.send(service.promotions, id, input, tx);
    if (answer.kind === "not_found") throw new Error(`promotion ${id} has a row and no state`);
    if (answer.kind === "refusal") return answer;
    const { state } = answer;
    if (state.approvals.at(-1)?.at === decidedAt) {
      const detail = { ...chainOf(state), reason };
      await appendAudit(tx, { actor: by, action: "promotion.approved", subject: id, detail, at: decidedAt });
    }
    if (open && state.phase === "promoted") {
      await closePromotion(tx, id);
      await recordGrant(tx, state, by, state.decidedAt);
    }
    return state;
  });
}

/** The promotion takes hold: in the same transaction as the decision, so that nobody sees the one without the other. */
async function recordGrant(tx: Tx<Tables>, state: Promotion, by: string, at: Instant): Promise<void> {
  const { id, digest, to } = state.request;
  await addEnvironment(tx, { digest, environment: to, by, at, promotion: id });
  await appendAudit(tx, { actor: by, action: "promotion.granted", subject: id, detail: chainOf(state), at });
}

/** Who asked, when, and who agreed: what the audit log keeps of each step. */
export function chainOf(state: Promotion) {
  const { id, digest, service, gitSha, from, to, requestedBy, requestedAt, approvalsNeeded } = state.request;
  return {
    promotion: id,
    digest,
    service,
    git_sha: gitSha,
    from,
    to,
    requested_by: requestedBy,
    requested_at: requestedAt,
    approvals_needed: approvalsNeeded,
    approvals: state.approvals,
  };
}

function caseOf(service: Service, artifact: ArtifactRecord, to: EnvironmentName) {
  return {
    digest: artifact.digest,
    to,
    environments: service.environments,
    reached: artifact.environments.map((place) => place.environment),
    badIn: artifact.badIn,
    isolation: artifact.provenance.isolation,
  };
}
