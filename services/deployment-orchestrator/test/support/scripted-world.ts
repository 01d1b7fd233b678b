import type { Epoch, Instant } from "@slipway/kernel";
import { addMs } from "@slipway/kernel";
import { type Command, timeReached } from "../../src/domain/command.ts";
import { decide } from "../../src/domain/decide.ts";
import { type Deployment, terminalPhases } from "../../src/domain/deployment.ts";
import type { Fact, Input } from "../../src/domain/input.ts";
import { firstCommands } from "../../src/domain/phases/opening.ts";
import { judgement, sampleDeployment, start } from "./sample.ts";

/** How the world answers a command. `well`: as wished; anything else: what may go wrong with it. */
export type Mood = "well" | "badly" | "late";

export type Pending = { readonly command: Command; readonly generation: number };

/** One decided input with what came before and after it: what the invariants look at. */
export type Stride = {
  readonly before: Deployment;
  readonly input: Input;
  readonly refused: boolean;
  readonly after: Deployment;
  readonly commands: readonly Command[];
  readonly supersedes: boolean;
};

const surviving: readonly Command["type"][] = ["Publish", "ReleaseLock", "TellReplaced", "RepairWeight", "TellDrift"];

/**
 * A world that answers commands with facts, in memory: the outbox with its lanes and generations as durable keeps it, a lock that gives new
 * epochs, and a clock. Nothing happens by itself: the test says what is performed, repeated, forgotten or asked for next.
 */
export class ScriptedWorld {
  state: Deployment;
  now: Instant = start;
  readonly strides: Stride[] = [];
  readonly facts: Fact[] = [];
  /** What is emitted, in order, the first commands included. */
  readonly emitted: Command[] = [];
  #pending: Pending[] = [];
  #generation = 0;
  #epoch = 0;

  constructor(plan: Parameters<typeof sampleDeployment>[0] = {}) {
    const accepted = sampleDeployment(plan);
    this.state = accepted;
    this.#enqueue(firstCommands(accepted));
  }

  get ended(): boolean {
    return (terminalPhases as readonly string[]).includes(this.state.phase);
  }

  /** Commands that a worker could claim now: the head of each lane, and every timer. */
  get claimable(): readonly Pending[] {
    const heads = new Set<string>();
    return this.#pending.filter((pending) => {
      const lane = laneOf(pending.command);
      if (lane === undefined) return true;
      const first = !heads.has(lane);
      heads.add(lane);
      return first;
    });
  }

  pass(ms: number): void {
    this.now = addMs(this.now, ms);
  }

  send(input: Input): Stride {
    const before = this.state;
    const answer = decide(before, input);
    const refused = answer.kind === "refusal";
    const commands = refused ? [] : answer.commands;
    const supersedes = !refused && answer.supersedes === true;
    if (!refused) this.state = answer.state;
    if (supersedes) this.#void();
    this.#enqueue(commands);
    const stride = { before, input, refused, after: this.state, commands, supersedes };
    this.strides.push(stride);
    return stride;
  }

  /** Performs one command; its fact is applied unless it is forgotten on the way. */
  perform(pending: Pending, mood: Mood = "well", forget = false): Stride | undefined {
    this.#pending = this.#pending.filter((other) => other !== pending);
    const { command } = pending;
    if ("at" in command && command.at !== null && command.at > this.now) this.now = command.at;
    const fact = this.#answer(command, mood);
    if (fact === undefined) return undefined;
    this.facts.push(fact);
    return forget || this.ended ? undefined : this.send(fact);
  }

  /** Answers everything well until nothing is left to do, timers of the far future included; false when that takes too long. */
  settle(limit: number, done: () => boolean = () => false): boolean {
    for (let count = 0; count < limit; count += 1) {
      const next = this.#soonest();
      if (next === undefined || done()) return true;
      this.perform(next);
    }
    return false;
  }

  #soonest(): Pending | undefined {
    const due = (pending: Pending) => ("at" in pending.command ? (pending.command.at ?? "") : "");
    return [...this.claimable].sort((one, other) => due(one).localeCompare(due(other)))[0];
  }

  #enqueue(commands: readonly Command[]): void {
    this.emitted.push(...commands);
    this.#pending.push(...commands.map((command) => ({ command, generation: this.#generation })));
  }

  #void(): void {
    this.#generation += 1;
    this.#pending = this.#pending.filter(({ command }) => surviving.includes(command.type));
  }

  #answer(command: Command, mood: Mood): Fact | undefined {
    const { now } = this;
    const bad = mood === "badly";
    switch (command.type) {
      case "AcquireLock":
        return this.#grant(command, mood);
      case "OpenFence":
        return bad
          ? { type: "FenceStale", ...at(command), found: "D-9", now }
          : { type: "FenceOpened", ...at(command), baseline: this.state.plan.baselines[command.region] ?? null, now };
      case "PrepareWorkload": {
        const here = { ...at(command), step: command.step };
        return bad
          ? { type: "WorkloadFailed", ...here, reason: "crash", now }
          : { type: "WorkloadReady", ...here, now };
      }
      case "ArmWatch":
        return bad
          ? { type: "WatchFailed", judgement: this.#fail(), epochs: command.epochs, now }
          : { type: "WatchArmed", step: command.step, now };
      case "CheckWatch":
        return this.#look(command, mood);
      case "RaiseWeight": {
        const here = { ...at(command), step: command.step };
        if (mood === "late") return { type: "RaiseRefused", ...here, why: "conflict", now };
        if (bad) return { type: "RaiseRefused", ...here, why: "drifted", now };
        return { type: "WeightServed", ...here, percent: command.percent, now };
      }
      case "LowerWeight":
        return { type: bad ? "LowerStale" : "Lowered", ...at(command), now };
      case "Follow":
        return { type: "Followed", ...at(command), now };
      case "DrainAndRetire":
        return { type: "Retired", ...at(command), now };
      case "WakeAt":
        return timeReached(command, now);
      default:
        return undefined;
    }
  }

  #grant(command: Extract<Command, { type: "AcquireLock" }>, mood: Mood): Fact {
    if (mood === "badly") return { type: "LockLost", to: "D-9", now: this.now };
    if (mood === "late" && !command.preempt) return { type: "LockWaiting", behind: "D-6", now: this.now };
    this.#epoch += 1;
    const epochs = Object.fromEntries(this.state.plan.regions.map((region) => [region, this.#epoch as Epoch]));
    return { type: "LockGranted", epochs, now: this.now };
  }

  #look({ step }: Extract<Command, { type: "CheckWatch" }>, mood: Mood): Fact {
    if (mood === "late") return { type: "WatchSilent", step, since: null, now: this.now };
    const epochs = "epochs" in this.state ? this.state.epochs : {};
    const found = mood === "badly" ? this.#fail() : this.#pass(step);
    return { type: "WatchSeen", step, judgement: found, epochs, now: this.now };
  }

  /** The moment from which the watch gathers what speaks for PASS, as far as it was told. */
  get windowFrom(): Instant | undefined {
    const armed = this.emitted.findLast((command) => command.type === "ArmWatch");
    return armed?.type === "ArmWatch" ? armed.windowFrom : undefined;
  }

  #pass(step: number) {
    const { steps, regions } = this.state.plan;
    const weightPercent = steps[step]?.weightPercent ?? 5;
    return judgement({ verdict: "PASS", step, weightPercent, regions, at: this.now, windowFrom: this.windowFrom });
  }

  #fail() {
    return judgement({ verdict: "FAIL", regions: this.state.plan.regions, at: this.now });
  }
}

function at(command: Extract<Command, { region: unknown; epoch: unknown }>) {
  return { region: command.region, epoch: command.epoch };
}

/** As the effects have it: one lane per region, lowering apart; a command with a time is in none. */
function laneOf(command: Command): string | undefined {
  if ("at" in command && command.at !== null) return undefined;
  if (command.type === "LowerWeight" || command.type === "RepairWeight") return `abort:${command.region}`;
  if (command.type === "TellDrift") return "publish";
  if (command.type === "ReleaseRegion") return "lock";
  if ("region" in command) return `region:${command.region}`;
  if (command.type === "ArmWatch") return "watch";
  return command.type === "Publish" ? "publish" : "lock";
}
