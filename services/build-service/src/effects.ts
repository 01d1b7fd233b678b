import { buildTopic } from "@slipway/contracts";
import { defineMachine } from "@slipway/durable";
import type { BuildContext, BuildMachine, BuildOutcome, BuildWorld } from "./build-world.ts";
import { decide, terminalPhases } from "./domain/decide.ts";
import type { BuildCommand, BuildEvent, BuildInput, BuildState } from "./domain/state.ts";
import { begin, checkOutCommit, cleanUp } from "./effects-checkout.ts";
import { registerImage, writeBuildImage } from "./effects-image.ts";
import { runBuildStep } from "./effects-step.ts";

const hourMs = 3_600_000;

/** The machine with its effects. Each may be repeated at any time: files are made anew, the far sides know duplicates. */
export function buildMachine(world: BuildWorld): BuildMachine {
  return defineMachine<BuildState, BuildInput, BuildCommand>({
    machine: { name: "build", decide, terminal: [...terminalPhases] },
    lane: laneOf,
    runAfter: (command) => (command.type === "give_up" ? command.at : undefined),
    survives: (command) => command.type === "publish" || command.type === "clean_up",
    timeoutMs: (command) => (command.type === "run_step" ? hourMs : 10 * 60_000),
    perform: (command, ctx) => perform(world, command, ctx),
  });
}

/** Steps run beside each other, everything else of a build in order; events have a lane of their own. */
function laneOf(command: BuildCommand): string {
  if (command.type === "run_step") return `step:${command.step}`;
  return command.type === "publish" || command.type === "clean_up" ? command.type : "build";
}

async function perform(world: BuildWorld, command: BuildCommand, ctx: BuildContext): Promise<BuildOutcome> {
  if (command.type === "give_up") return { kind: "fact", fact: (at) => ({ type: "deadline_passed", at }) };
  const row = await ctx.current();
  if (row === undefined) return { kind: "done" };
  switch (command.type) {
    case "begin":
      return begin(world, row.state);
    case "check_out":
      return checkOutCommit(world, row.state, ctx);
    case "run_step":
      return runBuildStep(world, row.state, command.step, ctx);
    case "write_image":
      return writeBuildImage(world, row.state, ctx);
    case "register":
      return registerImage(world, row.state, ctx);
    case "publish":
      await world.bus.publish(buildTopic.name, [cloudEvent(row.state, command, ctx.commandId)]);
      return { kind: "done" };
    case "clean_up":
      return cleanUp(world, row.state);
  }
}

/** Its id is the command's, so that an event published twice is one event. */
function cloudEvent(state: BuildState, command: Extract<BuildCommand, { type: "publish" }>, commandId: string) {
  const about = { build_id: state.buildId, service: state.service, git_sha: state.gitSha };
  return {
    specversion: "1.0",
    id: `build-${commandId}`,
    source: "build-service",
    type: `build.${command.event.type}`,
    subject: state.buildId,
    time: command.at,
    datacontenttype: "application/json",
    data: { ...about, ...eventData(state, command.event) },
  } as const;
}

function eventData(state: BuildState, event: BuildEvent): Record<string, unknown> {
  switch (event.type) {
    case "queued":
      return { ref: state.ref, author: state.author, committed_at: event.committedAt };
    case "step_finished":
      return { step: event.step, outcome: event.outcome, exit_code: event.exitCode, ms: event.ms };
    case "started":
      return {};
    case "succeeded":
      return { ref: state.ref, digest: event.digest, ms: event.ms };
    default: {
      const { type: _type, ...data } = event;
      return data;
    }
  }
}
