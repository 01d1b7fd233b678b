import { msBetween } from "@slipway/kernel";
import { expect } from "vitest";
import type { Command } from "../../src/domain/command.ts";
import { type Deployment, terminalPhases } from "../../src/domain/deployment.ts";
import { waitingOf } from "../../src/domain/view.ts";
import type { ScriptedWorld, Stride } from "./scripted-world.ts";

/** The named invariants of STATES.md, checked over what happened since `from`; those about the past look at all of it. */
export function checkInvariants(world: ScriptedWorld, from: number): void {
  for (let index = from; index < world.strides.length; index += 1) {
    const stride = world.strides[index] as Stride;
    terminalStates(stride);
    onlyProvenAboveFive(stride, world.strides.slice(0, index + 1));
    weightsClimbThenFall(stride, world.strides.slice(0, index));
    commandsCarryTheGrant(stride);
    failLowersEverywhere(stride);
    waitingIsExplained(stride.after);
    handsAreNotUndone(stride, world.strides.slice(0, index));
    repairsOnlyLower(stride);
    ownDoingIsWrittenDown(stride);
    retiredRegionsAreGivenBack(stride, world.strides.slice(0, index));
  }
  locksAreGivenBack(world);
  regionsAreToldOnce(world);
}

function isTerminal(state: Deployment): boolean {
  return (terminalPhases as readonly string[]).includes(state.phase);
}

/** I1: a terminal state stays as it is and emits nothing. */
function terminalStates({ before, after, commands, supersedes }: Stride): void {
  if (!isTerminal(before)) return;
  expect(after).toBe(before);
  expect(commands).toEqual([]);
  expect(supersedes).toBe(false);
}

/** I2: above 5% of production only with a proof, an approval, or on the way back to a verified version. Counted again here. */
function onlyProvenAboveFive({ after, input, commands }: Stride, past: readonly Stride[]): void {
  const raises = commands.filter((command) => command.type === "RaiseWeight" && command.percent > 5);
  const { plan, approval } = after;
  if (raises.length === 0 || !plan.production || approval !== null || plan.rollsBack !== null) return;
  const findings = past.flatMap((stride) => findingOf(stride));
  const sinceFail = findings.slice(findings.findLastIndex(({ verdict }) => verdict === "FAIL") + 1);
  const proofs = sinceFail.filter(({ verdict, weight_percent, at, counts, regions }) => {
    const enough = counts.canary_requests >= 459 && tail(counts.canary_requests, counts.canary_errors) <= 0.01;
    const everywhere = plan.regions.every((region) => (regions[region]?.canary_requests ?? 0) >= 46);
    return (
      verdict === "PASS" && weight_percent <= 5 && enough && everywhere && msBetween(at, input.now) < 24 * 3_600_000
    );
  });
  expect(proofs.length, "a PASS at 5% or less").toBeGreaterThan(0);
}

function findingOf({ before, input }: Stride) {
  if (!("judgement" in input) || input.judgement === null || !("epochs" in before)) return [];
  const current = before.plan.regions.every((region) => input.epochs[region] === before.epochs[region]);
  return current ? [input.judgement] : [];
}

/** P(Bin(n, 1%) <= x), summed from its definition; the baselines of these tests have no errors. */
function tail(n: number, x: number): number {
  let term = 0.99 ** n;
  let sum = term;
  for (let k = 1; k <= x; k += 1) {
    term *= ((n - k + 1) / k) * (0.01 / 0.99);
    sum += term;
  }
  return sum;
}

/** I3: weights climb until the way back begins; from then on they only fall. */
function weightsClimbThenFall({ after, commands }: Stride, past: readonly Stride[]): void {
  const raises = commands.filter((command) => command.type === "RaiseWeight");
  const earlier = past.flatMap((stride) => stride.commands);
  for (const { region, percent } of raises) {
    const before = earlier.filter((command) => command.type === "RaiseWeight" && command.region === region);
    for (const raise of before) expect(percent).toBeGreaterThanOrEqual((raise as { percent: number }).percent);
  }
  const lowered = earlier.some(({ type }) => type === "LowerWeight") || after.phase === "restoring";
  if (lowered) expect(raises).toEqual([]);
}

/** I4: at the end each holder that asked for the lock has given it back, and nobody else. */
function locksAreGivenBack({ state, emitted }: ScriptedWorld): void {
  if (!isTerminal(state)) return;
  const holders = (type: Command["type"]) =>
    new Set(emitted.flatMap((command) => (command.type === type && "holder" in command ? [command.holder] : [])));
  expect(holders("ReleaseLock")).toEqual(holders("AcquireLock"));
}

/** I5: a command speaks for the grant that the deployment holds after the step, and a grant changes by LockGranted alone. */
function commandsCarryTheGrant({ before, after, input, commands }: Stride): void {
  const granted: Readonly<Record<string, number>> = "epochs" in after ? after.epochs : {};
  for (const command of commands) {
    if ("epoch" in command) expect(command.epoch).toBe(granted[command.region]);
    if (command.type === "ArmWatch") expect(command.epochs).toEqual(granted);
  }
  if ("epochs" in before && "epochs" in after && input.type !== "LockGranted")
    expect(after.epochs).toEqual(before.epochs);
}

/** I17: that a mesh does not follow, or a region cannot be written, is told once of a region, and that it is over once, and only of that one. */
function regionsAreToldOnce({ emitted }: ScriptedWorld): void {
  const told = (name: "mesh_behind" | "mesh_followed" | "region_away" | "region_back") =>
    emitted.flatMap((command) =>
      command.type === "Publish" && command.event.type === `deployment.${name}` && "region" in command.event.data
        ? [command.event.data.region]
        : [],
    );
  for (const [bad, over] of [
    [told("mesh_behind"), told("mesh_followed")],
    [told("region_away"), told("region_back")],
  ] as const) {
    expect([new Set(bad).size, new Set(over).size]).toEqual([bad.length, over.length]);
    expect(over.filter((region) => !bad.includes(region))).toEqual([]);
  }
}

const exposedPhases: readonly Deployment["phase"][] = ["raising", "baking", "held", "finishing", "watching"];

/** I6: a FAIL of the present grant lowers in every region in that same step, before anything else is done. */
function failLowersEverywhere({ before, input, after, commands, supersedes }: Stride): void {
  if (input.type !== "WatchFailed" || input.judgement.verdict !== "FAIL" || !("epochs" in before)) return;
  const { plan } = before;
  const serving = Object.values(before.regions).some(({ weightPercent }) => weightPercent > 0);
  const exposed = exposedPhases.includes(before.phase) || (before.phase === "awaiting_approval" && serving);
  const stays = plan.initial || plan.rollsBack !== null || (before.phase === "watching" && before.replacedBy !== null);
  const current = plan.regions.every((region) => input.epochs[region] === before.epochs[region]);
  if (!exposed || stays || !current) return;
  const lowered = commands.flatMap((command) => (command.type === "LowerWeight" ? [command.region] : []));
  expect(lowered).toEqual(plan.regions);
  expect(supersedes).toBe(true);
  expect(after.phase).toBe("restoring");
}

/** I10: what somebody lowered or rerouted by hand is raised over only after a person said so. */
function handsAreNotUndone({ input: now, commands }: Stride, past: readonly Stride[]): void {
  if (!commands.some(({ type }) => type === "RaiseWeight" || type === "PrepareWorkload")) return;
  const halted = past.findLastIndex(({ input, after }) => {
    const byHand = input.type === "DriftSeen" && ["lowered", "rerouted"].includes(input.drift.kind);
    return byHand && after.phase === "held" && after.regions[input.region]?.drift === input.drift;
  });
  if (halted === -1 || now.type === "Resume") return;
  expect(past.slice(halted).some(({ input }) => input.type === "Resume")).toBe(true);
}

/** I11: a repair follows a raise by hand alone, and never where the way back lowers already. */
function repairsOnlyLower({ input, after, commands }: Stride): void {
  if (!commands.some(({ type }) => type === "RepairWeight")) return;
  expect(input).toMatchObject({ type: "DriftSeen", drift: { kind: "raised" } });
  expect(after.phase).not.toBe("restoring");
}

/** I7: whatever waits says for what, since when and what would unblock it. */
function waitingIsExplained(state: Deployment): void {
  const idle = isTerminal(state) || (state.phase === "watching" && state.replacedBy !== null);
  if (idle) expect(waitingOf(state)).toBeNull();
  else expect(waitingOf(state)).toMatchObject({ for: expect.stringMatching(/./), since: expect.stringMatching(/Z$/) });
}

/** I19: what had requests and is taken back with nobody asking for it is in the audit log once, by a command of the step that began it. */
function ownDoingIsWrittenDown({ before, after, input, commands }: Stride): void {
  const begins = before.phase !== "restoring" && after.phase === "restoring" && after.outcome === "rolled_back";
  const entries = commands.filter(({ type }) => type === "AuditTakeBack");
  expect(entries).toHaveLength(begins && input.type !== "Rollback" ? 1 : 0);
}

/** I20: where its pods are gone while others are not, a region is given back in that step, by whoever may hold it, once; afterwards nothing is written there. */
function retiredRegionsAreGivenBack({ before, after, commands }: Stride, past: readonly Stride[]): void {
  const given = commands.flatMap((command) => (command.type === "ReleaseRegion" ? [command.region] : []));
  const isRetired = (state: Deployment, region: string) => state.regions[region]?.state === "retired";
  const both = before.phase === "restoring" && before.relock !== "not_needed";
  const retired = after.plan.regions.filter((region) => isRetired(after, region) && !isRetired(before, region));
  if (after.phase === "restoring")
    expect(given).toEqual(retired.flatMap((region) => (both ? [region, region] : [region])));
  else expect(given).toEqual([]);
  const earlier = past.flatMap((stride) => stride.commands).filter(({ type }) => type === "ReleaseRegion");
  const left = new Set(earlier.flatMap((command) => ("region" in command ? [command.region] : [])));
  expect(commands.filter((command) => "region" in command && left.has(command.region))).toEqual([]);
}
