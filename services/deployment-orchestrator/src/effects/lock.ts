import type { Epoch } from "@slipway/kernel";
import type { Command } from "../domain/command.ts";
import { type Deployment, holdingPhases } from "../domain/deployment.ts";
import { type Context, currentState, type Ports, type Result } from "./ports.ts";

const askAgainMs = 300;

export async function acquireLock(
  ports: Ports,
  command: Extract<Command, { type: "AcquireLock" }>,
  ctx: Context,
): Result {
  const state = await currentState(ctx);
  const { service, environment, regions } = state.plan;
  const targets = regions.map((region) => ({ service, environment, region }));
  const answer = await ports.locks.acquire({ holder: command.holder, targets, preempt: command.preempt });
  switch (answer.kind) {
    case "granted": {
      // What was found out while it waited counts: nothing that was taken back comes again by waiting for it.
      const by = command.preempt ? undefined : await ports.takenBackBy(state);
      if (by !== undefined) return { kind: "fact", fact: (now) => ({ type: "VersionBanned", by, now }) };
      if (command.preempt) await tellLost(ports, state);
      return {
        kind: "fact",
        fact: (now) => ({ type: "LockGranted", epochs: answer.epochs as Record<string, Epoch>, now }),
      };
    }
    case "lost":
      return { kind: "fact", fact: (now) => ({ type: "LockLost", to: answer.to, now }) };
    case "waiting":
      if (state.phase === "queued" && state.behind === answer.behind) {
        return { kind: "retry", afterMs: askAgainMs, reason: `behind ${answer.behind}` };
      }
      return { kind: "fact", fact: (now) => ({ type: "LockWaiting", behind: answer.behind, now }) };
  }
}

/** Those whose targets were taken learn it at once; without this they would learn it from the fence. */
async function tellLost(ports: Ports, state: Deployment): Promise<void> {
  for (const id of await ports.sharing(state, holdingPhases)) {
    const to = await ports.locks.lostTo(id);
    if (to !== undefined) await ports.send(id, (now) => ({ type: "LockLost", to, now }));
  }
}

/** The deployment whose version was replaced is no longer watched for verification. */
export async function tellReplaced(ports: Ports, ctx: Context): Result {
  const state = await currentState(ctx);
  const epochs = "epochs" in state ? state.epochs : {};
  for (const id of await ports.sharing(state, ["watching"])) {
    await ports.send(id, (now) => ({ type: "Replaced", by: state.plan.id, epochs, now }));
  }
  return { kind: "done" };
}
