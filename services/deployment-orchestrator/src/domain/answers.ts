import { type Machine, type Refusal, refuse, type Step } from "@slipway/kernel";
import type { Command } from "./command.ts";
import { type Deployment, terminalPhases } from "./deployment.ts";
import type { Input, Intent } from "./input.ts";
import { stay } from "./moves.ts";

export type Answer = ReturnType<Machine<Deployment, Input, Command>["decide"]>;

const verbs: Record<Intent["type"], string> = {
  Rollback: "be rolled back",
  Halt: "be halted",
  Resume: "be resumed",
  Promote: "be promoted",
  Approve: "be approved",
};

/** The answer of a phase to what it does not await: a fact changes nothing, an intent is refused by name. */
export function ignoreFacts(state: Deployment, input: Input): Step<Deployment, Command> | Refusal {
  if (!isIntent(input)) return stay(state);
  const ended = (terminalPhases as readonly string[]).includes(state.phase);
  const detail = `${state.plan.id} is ${state.phase}: it cannot ${verbs[input.type]} now.`;
  return refuse("deployment.phase", detail, ended ? "It has ended; start another deployment." : undefined);
}

/** True for what a person asks for. */
export function isIntent(input: Input): input is Intent {
  return Object.hasOwn(verbs, input.type);
}
