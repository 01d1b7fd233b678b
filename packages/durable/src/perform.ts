import type { Logger } from "@slipway/sql";
import { backoffMs } from "./backoff.ts";
import type { Claim } from "./lease.ts";
import type { AnyInput, AnyMachine, AnyState, CommandContext, Outcome } from "./types.ts";

export type PerformOptions = {
  readonly definition: AnyMachine;
  readonly claim: Claim;
  readonly controller: AbortController;
  readonly log: Logger;
  readonly random: () => number;
  readonly current: CommandContext<AnyState>["current"];
};

const defaultTimeoutMs = 600_000;

export const stopping = "the process stops";

/** Performs a claimed command. Never rejects: an error is a retry with back-off, whose reason is its message. */
export async function perform(options: PerformOptions): Promise<Outcome<AnyInput>> {
  const { definition, claim, controller, log, random, current } = options;
  const { id, kind, seq, attempt } = claim.lease;
  const limitMs = definition.timeoutMs?.(claim.command) ?? defaultTimeoutMs;
  const timer = setTimeout(() => controller.abort(new Error(`not done within ${limitMs} ms`)), limitMs);
  try {
    return await definition.perform(claim.command, {
      id,
      commandId: `${kind}/${id}/${seq}`,
      attempt,
      generation: claim.generation,
      state: claim.state,
      signal: controller.signal,
      log,
      current,
    });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const afterMs = controller.signal.reason === stopping ? 0 : backoffMs(attempt, random(), claim.urgent);
    log.warn({ err: error, machine: kind, id, command: claim.command.type, attempt, afterMs }, "a command failed");
    return { kind: "retry", afterMs, reason };
  } finally {
    clearTimeout(timer);
  }
}
