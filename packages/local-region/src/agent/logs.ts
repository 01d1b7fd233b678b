import type { PodLogs } from "./types.ts";

/** Reader of the logs that the agent on this folder keeps. Needs the folder only, not a running agent. */
export function podLogs(_dir: string): PodLogs {
  throw new Error("not written yet");
}
