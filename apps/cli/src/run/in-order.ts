import type { PlannedStep } from "@slipway/pipeline";

export type StepEnd = "succeeded" | "failed" | "timed_out" | "cancelled" | "skipped";

/**
 * Runs steps beside each other as their needs allow, at most `places` at once. When one does not succeed, what runs finishes and what waits
 * is skipped: the rule of the build service.
 */
export async function inOrder(
  plan: readonly PlannedStep[],
  places: number,
  run: (name: string) => Promise<Exclude<StepEnd, "skipped">>,
): Promise<Readonly<Record<string, StepEnd>>> {
  const ends: Record<string, StepEnd> = {};
  const running = new Map<string, Promise<void>>();
  const startable = () =>
    plan.filter(
      ({ name, needs }) =>
        ends[name] === undefined && !running.has(name) && needs.every((need) => ends[need] === "succeeded"),
    );
  const bad = () => Object.values(ends).some((end) => end !== "succeeded");
  for (;;) {
    for (const { name } of bad() ? [] : startable().slice(0, places - running.size)) {
      const ended = run(name).then((end) => {
        ends[name] = end;
        running.delete(name);
      });
      running.set(name, ended);
    }
    if (running.size === 0) break;
    await Promise.race(running.values());
  }
  return Object.fromEntries(plan.map(({ name }) => [name, ends[name] ?? "skipped"]));
}
