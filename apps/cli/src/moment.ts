import { DurationMs } from "@slipway/contracts";

/** A time as people give it: `2h` is so long ago, a date its first moment in UTC. Everything else as it is, for a schema to read. */
export function momentOf(given: string | undefined, now = Date.now()): string | undefined {
  if (given === undefined) return undefined;
  if (/^\d{4}-\d\d-\d\d$/.test(given)) return `${given}T00:00:00Z`;
  const ago = DurationMs.safeParse(given);
  const at = ago.success ? new Date(now - ago.data) : undefined;
  return at === undefined || Number.isNaN(at.getTime()) ? given : at.toISOString();
}
