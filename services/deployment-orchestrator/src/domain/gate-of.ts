import type { Judgement } from "@slipway/contracts";
import type { Gate } from "./deployment.ts";

/** A judgement as the deployment keeps it. */
export function gateOf(judgement: Judgement): Gate {
  const { step: index, weight_percent, verdict, counts, sentence, at, regions } = judgement;
  const canaryRequests = Object.fromEntries(Object.entries(regions).map(([region, c]) => [region, c.canary_requests]));
  return { step: index, weightPercent: weight_percent, verdict, counts, canaryRequests, sentence, at };
}
