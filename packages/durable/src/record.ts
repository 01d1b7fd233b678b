import type { Logger } from "@slipway/sql";
import type { Flight, Flights } from "./flights.ts";
import type { Queue } from "./queue.ts";
import type { AnyInput, Outcome } from "./types.ts";

/** Writes what came of a command. What cannot be written is postponed with the reason, where everybody can see it. */
export async function record(
  queue: Queue,
  log: Logger,
  flights: Flights,
  flight: Flight,
  outcome: Outcome<AnyInput> | { readonly kind: "void" },
): Promise<void> {
  const { lease, command } = flight.claim;
  const where = { machine: lease.kind, id: lease.id, command: command.type };
  try {
    const result = await queue.push({ kind: "record", lease, outcome });
    if (result.kind === "stale") {
      // Our own lease may have run out and been taken again by ourselves, before or just now: what was done still counts.
      await flights.launched();
      if (flight.claim.lease !== lease) return await record(queue, log, flights, flight, outcome);
      log.warn(where, "an outcome came too late and does not count");
    }
    if (result.kind === "poison") log.error({ ...where, err: result.error }, "an outcome could not be decided");
    if (result.kind === "refused_fact")
      log.error({ ...where, code: result.refusal.code }, "a fact was refused, which no machine may do");
  } catch (error) {
    log.error({ ...where, err: error }, "an outcome could not be written");
    if (outcome.kind === "retry" || outcome.kind === "void") return;
    const reason = `its outcome could not be written: ${String(error)}`;
    await record(queue, log, flights, flight, { kind: "retry", afterMs: 5_000, reason });
  }
}
