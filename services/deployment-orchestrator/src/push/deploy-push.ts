import { type DeploymentRequest, isErrorCode, ProblemError } from "@slipway/contracts";
import { type CommandContext, type DurableMachine, defineMachine, type Outcome } from "@slipway/durable";
import type { DeploymentId } from "@slipway/kernel";
import { acceptDeployment, planDeployment } from "../accept.ts";
import { type Push, type PushCommand, type PushFact, pushMachine } from "../domain/push.ts";
import type { Service } from "../service.ts";
import { byRequestKey } from "../store.ts";
import { newerPush } from "./push-rows.ts";

/** Problems that pass by themselves: asked again until the deadline. */
const passing = [
  "region.unavailable",
  "auth.missing",
  "auth.invalid",
  "idempotency.in_flight",
  "unavailable",
  "internal",
];
const askAgainMs = 2_000;

export type PushMachine = DurableMachine<Push, PushFact, PushCommand>;

/** `service` is asked at the time of use: the machine is part of what makes it. */
export function pushDurable(service: () => Service): PushMachine {
  return defineMachine<Push, PushFact, PushCommand>({
    machine: pushMachine,
    lane: () => "push",
    runAfter: (command) => (command.type === "GiveUp" ? command.at : undefined),
    perform: async (command, ctx) => {
      if (command.type === "GiveUp") return fact({ type: "DeadlinePassed" });
      return deployPush(service(), ctx);
    },
  });
}

/**
 * Asks for the deployment as the service's owner would, under a key of its own, so that asking again finds what was accepted before. A build that was
 * overtaken by a newer push is not brought back over it.
 */
async function deployPush(service: Service, ctx: CommandContext<Push>): Promise<Outcome<PushFact>> {
  const row = await ctx.current();
  if (row === undefined) return { kind: "done" };
  const push = row.state;
  const key = `push-${ctx.id}`;
  const known = await byRequestKey(service.db, key);
  if (known !== undefined) return accepted(known);
  const newer = await newerPush(service.db, ctx.id, push);
  if (newer !== undefined) return fact({ type: "Overtaken", newer });
  const request: DeploymentRequest = {
    ...{ service: push.service, version: push.digest, strategy: "canary", environment: push.environment },
  };
  try {
    const principal = { name: push.by, roles: ["deployer"] as const };
    const draft = await planDeployment(service, { request, principal, now: service.clock.now() });
    return accepted((await acceptDeployment(service, draft, key)).plan.id);
  } catch (error) {
    if (!(error instanceof ProblemError) || !isErrorCode(error.code)) throw error;
    if (passing.includes(error.code)) return { kind: "retry", afterMs: askAgainMs, reason: error.message };
    return fact({ type: "Refused", reason: error.message, remedy: error.remedy ?? null });
  }
}

function accepted(deployment: DeploymentId): Outcome<PushFact> {
  return fact({ type: "Accepted", deployment });
}

function fact(value: PushFact): Outcome<PushFact> {
  return { kind: "fact", fact: () => value };
}
