import type { Judgement } from "@slipway/contracts";
import { type Answer, isIntent } from "./answers.ts";
import type { TakenBack } from "./command.ts";
import type { Deployment, In, RegionProgress } from "./deployment.ts";
import type { Input } from "./input.ts";

/**
 * A version that had requests is taken back and nobody asked for it: that goes into the audit log, by a command of the same step. What a person
 * asks for is there by name already, and what never had a request changed nothing for anybody.
 */
export function auditTakeBack(state: Deployment, input: Input, answer: Answer): Answer {
  if (answer.kind !== "step" || isIntent(input)) return answer;
  const next = answer.state;
  if (state.phase === "restoring" || next.phase !== "restoring" || next.outcome !== "rolled_back") return answer;
  // What somebody changed in a region has an entry in that person's name.
  const actor = input.type === "DriftSeen" ? "slipway" : next.by;
  const detail = takenBack(state, next, input);
  const audit = { type: "AuditTakeBack", actor, decidedAt: next.since, detail } as const;
  return { ...answer, commands: [...answer.commands, audit] };
}

function takenBack(before: Deployment, after: In<"restoring">, input: Input): TakenBack {
  const { service, environment, version, regions } = after.plan;
  const { reason, gates } = after;
  const weights = Object.fromEntries(regions.map((region) => [region, had(before.regions[region])]));
  // A judgement that led here was kept as a gate.
  const found = "judgement" in input && gates.length > before.gates.length ? input.judgement : null;
  const evidence = found === null ? null : { gate: gates.length, ...evidenceOf(found) };
  const verdict = found?.verdict ?? null;
  return {
    service,
    environment,
    version,
    weights,
    reason,
    because: input.type,
    verdict,
    evidence,
    rolled_back_by: null,
  };
}

/** The numbers by which the judge found what it found. */
export function evidenceOf({
  step,
  counts,
  evidence,
  at,
}: Judgement): Omit<NonNullable<TakenBack["evidence"]>, "gate"> {
  return { step, counts, e_value: evidence ?? null, at };
}

/** A weight that was being written may have been served. */
function had(region: RegionProgress | undefined): number {
  return Math.max(region?.weightPercent ?? 0, region?.rising ?? 0);
}
