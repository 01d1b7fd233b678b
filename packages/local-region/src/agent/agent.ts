import type { Agent, AgentOptions } from "./types.ts";

/** Runs the pods bound to one node until stopped. Resolves once the pods left by an earlier agent are adopted. */
export function startAgent(_options: AgentOptions): Promise<Agent> {
  throw new Error("not written yet");
}
