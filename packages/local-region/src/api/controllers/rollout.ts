import type { Deployment } from "./workload-types.ts";

export type Sizes = { readonly desired: number; readonly available: number };
export type Rollout = {
  readonly current: Sizes;
  /** Replica sets of earlier templates, oldest first. */
  readonly old: readonly Sizes[];
};

/** How many replicas each replica set is to have now: one step of a rollout. Pure. */
export function nextSizes(
  { replicas, strategy }: Pick<Deployment["spec"], "replicas" | "strategy">,
  { current, old }: Rollout,
): { readonly current: number; readonly old: readonly number[] } {
  const none = old.map(() => 0);
  const oldTotal = sum(old.map(({ desired }) => desired));
  if (oldTotal === 0) return { current: replicas, old: none };
  if (strategy.type === "Recreate") return { current: current.desired, old: none };
  const { surge, unavailable } = limitsOf(replicas, strategy.rollingUpdate);
  const room = Math.max(0, replicas + surge - current.desired - oldTotal);
  const grown = Math.min(replicas, current.desired + room);
  const available = current.available + sum(old.map((each) => each.available));
  let spare = Math.max(0, available - (replicas - unavailable));
  const shrunk = old.map(({ desired, available: up }) => {
    // What is not available is nobody's loss.
    const idle = Math.max(0, desired - up);
    const taken = Math.min(up, desired, spare);
    spare -= taken;
    return Math.max(0, desired - idle - taken);
  });
  return { current: Math.max(grown, Math.min(current.desired, replicas)), old: shrunk };
}

/** Percentages of the replicas: surge rounds up, unavailable down; both 0 would never move. */
function limitsOf(replicas: number, limits: Deployment["spec"]["strategy"]["rollingUpdate"]) {
  const surge = share(limits?.maxSurge ?? "25%", replicas, Math.ceil);
  const unavailable = share(limits?.maxUnavailable ?? "25%", replicas, Math.floor);
  return { surge, unavailable: surge === 0 && unavailable === 0 ? 1 : unavailable };
}

function share(limit: number | string, replicas: number, round: (value: number) => number): number {
  return typeof limit === "number" ? limit : round((Number.parseInt(limit, 10) / 100) * replicas);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
