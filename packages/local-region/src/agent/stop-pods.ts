import { adoptContainer } from "./container.ts";
import { readStates, writeState } from "./state-files.ts";

/**
 * Ends the pods that an agent left behind and that no agent runs any more: SIGTERM, each pod's own grace, SIGKILL. `dir` is the agent's folder.
 * Returns how many were stopped.
 */
export async function stopPods(dir: string): Promise<number> {
  const ended = await Promise.all(
    (await readStates(dir)).map(async (state) => {
      const running = state.process === null ? undefined : await adoptContainer(dir, state.uid, state.process);
      await running?.terminate(state.graceMs);
      await writeState(dir, { ...state, process: null, failures: 0 });
      return running === undefined ? 0 : 1;
    }),
  );
  return ended.reduce<number>((sum, one) => sum + one, 0);
}
