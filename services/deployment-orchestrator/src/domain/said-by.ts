import type { Answer } from "./answers.ts";
import type { DeploymentEvent } from "./command.ts";
import type { Common } from "./deployment.ts";
import type { Intent } from "./input.ts";
import { about, publish } from "./moves.ts";

type Said<T extends Intent["type"]> = Extract<Intent, { type: T }>;

/** What an approval led to, with the word of who gave it before everything that follows from it. */
export function approvedBy(state: Common, { by, reason }: Said<"Approve">, answer: Answer): Answer {
  return told({ type: "deployment.approved", data: { ...about(state), by, reason } }, answer);
}

/** The same of a person who lets go on what was held. */
export function resumedBy(state: Common, { by }: Said<"Resume">, answer: Answer): Answer {
  return told({ type: "deployment.resumed", data: { ...about(state), by } }, answer);
}

/** A refusal tells itself. */
function told(event: DeploymentEvent, answer: Answer): Answer {
  return answer.kind === "step" ? { ...answer, commands: [publish(event), ...answer.commands] } : answer;
}
