import type { Command } from "../../src/domain/command.ts";
import type { Phase, Plan } from "../../src/domain/deployment.ts";
import { judgement, regionsOf } from "./sample.ts";
import { ScriptedWorld } from "./scripted-world.ts";

export const two = regionsOf("ab");

/** A world that went well until the deployment came to this phase (and, where it matters, to this step). */
export function given(phase: Phase, change: Partial<Plan> = {}, step = 0): ScriptedWorld {
  const world = new ScriptedWorld({ regions: two, ...change });
  const arrived = () => world.state.phase === phase && (!("step" in world.state) || world.state.step === step);
  if (!arrived()) world.settle(300, arrived);
  if (!arrived()) throw new Error(`it never came to ${phase}: ${world.state.phase}`);
  return world;
}

export function types(commands: readonly Command[]): string[] {
  return commands.map((command) => (command.type === "Publish" ? command.event.type : command.type));
}

export function of<T extends Command["type"]>(commands: readonly Command[], type: T): Extract<Command, { type: T }>[] {
  return commands.filter((command): command is Extract<Command, { type: T }> => command.type === type);
}

export function epochsOf(world: ScriptedWorld) {
  return "epochs" in world.state ? world.state.epochs : {};
}

export function judged(world: ScriptedWorld, verdict: "PASS" | "NONE", step = 0, requests?: number) {
  const { windowFrom } = world;
  const counts = requests === undefined ? {} : { requests };
  const found = judgement({ verdict, step, weightPercent: 5, regions: two, at: world.now, windowFrom, ...counts });
  return world.send({ type: "Judged", judgement: found, epochs: epochsOf(world), now: world.now });
}

export function failed(world: ScriptedWorld, epochs = epochsOf(world)) {
  const found = judgement({ verdict: "FAIL", regions: two, at: world.now });
  return world.send({ type: "WatchFailed", judgement: found, epochs, now: world.now });
}
