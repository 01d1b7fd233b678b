import { type Machine, unreachable } from "@slipway/kernel";
import { type Answer, ignoreFacts } from "./answers.ts";
import { auditTakeBack } from "./audit-take-back.ts";
import type { Command } from "./command.ts";
import { type Deployment, terminalPhases } from "./deployment.ts";
import type { Input } from "./input.ts";
import { voided } from "./moves.ts";
import { onBaking } from "./phases/baking.ts";
import { onFinishing, onWatching } from "./phases/full.ts";
import { onGoingBack } from "./phases/going-back.ts";
import { onAwaitingApproval, onHeld } from "./phases/held.ts";
import { isWayBack, onAccepted, onOpening, onPreparing, onQueued } from "./phases/opening.ts";
import { onRaising } from "./phases/raising.ts";
import { onRestoring } from "./phases/restoring.ts";

/** The decision of the deployment machine: pure and total. Intents may be refused; facts never are. */
export function decide(state: Deployment, input: Input): Answer {
  return auditTakeBack(state, input, answerOf(state, input));
}

function answerOf(state: Deployment, input: Input): Answer {
  if (input.type === "Voided" && !isTerminal(state)) return voided(state, input);
  switch (state.phase) {
    case "accepted":
      return onAccepted(state, input);
    case "queued":
      return onQueued(state, input);
    case "opening":
      return isWayBack(state) ? onGoingBack(state, input) : onOpening(state, input);
    case "preparing":
      return isWayBack(state) ? onGoingBack(state, input) : onPreparing(state, input);
    case "awaiting_approval":
      return onAwaitingApproval(state, input);
    case "raising":
      return onRaising(state, input);
    case "baking":
      return onBaking(state, input);
    case "held":
      return onHeld(state, input);
    case "finishing":
      return onFinishing(state, input);
    case "watching":
      return onWatching(state, input);
    case "restoring":
      return onRestoring(state, input);
    case "verified":
    case "rolled_back":
    case "failed":
    case "cancelled":
    case "superseded":
      return ignoreFacts(state, input);
    default:
      return unreachable(state);
  }
}

function isTerminal(state: Deployment): boolean {
  return (terminalPhases as readonly string[]).includes(state.phase);
}

export const deploymentMachine: Machine<Deployment, Input, Command> = {
  name: "deployment",
  terminal: terminalPhases,
  decide,
};
