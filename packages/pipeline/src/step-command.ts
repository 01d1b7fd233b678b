import type { PipelineStep } from "@slipway/contracts";

/** Tools of the platform that steps use, on this machine. */
export type Tools = {
  readonly scan: string;
  readonly advisories: string;
  readonly scanMain: string;
  /** Folder of the static file server that `uses: static-server` puts into a workspace. */
  readonly staticServer: string;
};

/** What `uses: static-server` adds to a workspace. */
export const staticServerFile = "slipway-static-server.mjs";

export type StepCommand = {
  readonly command: [string, ...string[]];
  readonly mounts?: readonly { readonly from: string; readonly to: string }[];
};

/**
 * What a step runs, and what it has to see for it. `run:` is the only shell there is, and it is inside. `toolsInside`: below which folder the tools
 * are there; undefined where the step is not isolated.
 */
export function stepCommand(step: PipelineStep, tools: Tools, toolsInside: string | undefined): StepCommand {
  if (step.run !== undefined) return { command: ["/bin/sh", "-eu", "-c", step.run] };
  if (step.uses === "static-server") return copyServer(tools, toolsInside);
  if (toolsInside === undefined) return { command: ["node", `${tools.scan}/${tools.scanMain}`, ".", tools.advisories] };
  return {
    command: ["node", `${toolsInside}/scan/${tools.scanMain}`, "/workspace", `${toolsInside}/advisories`],
    mounts: [
      { from: tools.scan, to: `${toolsInside}/scan` },
      { from: tools.advisories, to: `${toolsInside}/advisories` },
    ],
  };
}

function copyServer({ staticServer }: Tools, toolsInside: string | undefined): StepCommand {
  const copied = (from: string, to: string): StepCommand["command"] => ["cp", `${from}/server.mjs`, to];
  if (toolsInside === undefined) return { command: copied(staticServer, staticServerFile) };
  const inside = `${toolsInside}/static-server`;
  return {
    command: copied(inside, `/workspace/${staticServerFile}`),
    mounts: [{ from: staticServer, to: inside }],
  };
}
