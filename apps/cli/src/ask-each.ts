import { ProblemError } from "@slipway/contracts";

/** `log`: the service of Slipway that had no answer. */
export type Missing = { readonly log: string; readonly why: string };

/** Asks several services at once. One that has no answer keeps nobody from the others'; rejects where none has one. */
export async function askEach<S extends string, T>(
  services: readonly S[],
  ask: (service: S) => Promise<T>,
): Promise<{ readonly answers: readonly (readonly [S, T])[]; readonly missing: readonly Missing[] }> {
  const asked = await Promise.allSettled(services.map(ask));
  const answers: (readonly [S, T])[] = [];
  const failed: { readonly log: S; readonly reason: unknown }[] = [];
  for (const [at, log] of services.entries()) {
    const one = asked[at];
    if (one?.status === "fulfilled") answers.push([log, one.value]);
    else failed.push({ log, reason: one?.reason });
  }
  const [first] = failed;
  if (answers.length === 0 && first !== undefined) throw first.reason;
  return { answers, missing: failed.map(({ log, reason }) => ({ log, why: why(reason) })) };
}

function why(reason: unknown): string {
  if (reason instanceof ProblemError) return `${reason.message} (${reason.code})`;
  return reason instanceof Error ? reason.message : String(reason);
}
