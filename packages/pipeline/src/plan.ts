import { nearest } from "@slipway/contracts";

/** A step as its order needs it: its name and what has to succeed before it. */
export type PlannedStep = { readonly name: string; readonly needs: readonly string[] };

/** What is wrong with the order of the steps, by step; none when they can all run. */
export function planProblems(plan: readonly PlannedStep[]): { step: string; message: string }[] {
  const names = new Set(plan.map(({ name }) => name));
  const unknown = plan.flatMap(({ name, needs }) =>
    needs
      .filter((need) => !names.has(need))
      .map((need) => ({
        step: name,
        message: `step "${name}" needs "${need}", which does not exist${nearest(
          need,
          [...names].filter((other) => other !== name),
        )}`,
      })),
  );
  const cycle = findCycle(plan.map((step) => ({ ...step, needs: step.needs.filter((need) => names.has(need)) })));
  if (cycle === undefined) return unknown;
  return [...unknown, { step: cycle[0] ?? "", message: `steps wait for each other: ${cycle.join(" -> ")}` }];
}

function findCycle(plan: readonly PlannedStep[]): string[] | undefined {
  const needs = new Map(plan.map((step) => [step.name, step.needs]));
  const sound = new Set<string>();
  const walk = (name: string, path: readonly string[]): string[] | undefined => {
    if (path.includes(name)) return [...path.slice(path.indexOf(name)), name];
    if (sound.has(name)) return undefined;
    for (const need of needs.get(name) ?? []) {
      const found = walk(need, [...path, name]);
      if (found !== undefined) return found;
    }
    sound.add(name);
    return undefined;
  };
  for (const { name } of plan) {
    const found = walk(name, []);
    if (found !== undefined) return found;
  }
  return undefined;
}

/**
 * The steps whose files a step (or, without a name, the image) is given, in an order that respects `needs`. A step sees
 * what its needs made and what those saw; the image is made from every step that another one needs, or from all steps
 * where none needs another. So what tests leave behind does not get into an image.
 */
export function inputsOf(plan: readonly PlannedStep[], step?: string): string[] {
  const needs = new Map(plan.map((planned) => [planned.name, planned.needs]));
  const producers = new Set(plan.flatMap((planned) => planned.needs));
  const roots =
    step === undefined ? (producers.size === 0 ? [...needs.keys()] : [...producers]) : (needs.get(step) ?? []);
  const ordered: string[] = [];
  const visit = (name: string): void => {
    if (ordered.includes(name)) return;
    for (const need of needs.get(name) ?? []) visit(need);
    ordered.push(name);
  };
  for (const { name } of plan) if (roots.includes(name)) visit(name);
  return ordered;
}

/** Steps that no other one needs. What they leave gets into an image only where nothing else made the path. */
export function leavesOf(plan: readonly PlannedStep[]): string[] {
  const needed = inputsOf(plan);
  return plan.map(({ name }) => name).filter((name) => !needed.includes(name));
}
