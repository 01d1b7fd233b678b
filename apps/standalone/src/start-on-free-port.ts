import { ProblemError } from "@slipway/contracts";
import type { Layout } from "./layout.ts";

/** As many as there are ports to choose from. */
const mostAttempts = 20;

export type StartWays<T> = {
  /** Ports that are free now; a sentence where there are none. */
  readonly choose: () => Promise<Layout | string>;
  /** Starts everything on them. Rejects with `port.taken`, with everything stopped again, when somebody was quicker. */
  readonly start: (layout: Layout) => Promise<T>;
  /** The person named the port: no other will do. */
  readonly asked: boolean;
  readonly say: (sentence: string) => void;
};

/** Between choosing a port and listening on it anybody may take it: then the next is chosen and everything begins anew. */
export async function startOnFreePort<T>({ choose, start, asked, say }: StartWays<T>): Promise<T | string> {
  for (let attempt = 1; ; attempt += 1) {
    const layout = await choose();
    if (typeof layout === "string") return layout;
    try {
      return await start(layout);
    } catch (error) {
      if (!(error instanceof ProblemError) || error.code !== "port.taken") throw error;
      if (asked || attempt >= mostAttempts) return `port.taken: ${error.message} ${error.remedy ?? ""}`.trim();
      say(`${error.message} Starting again on the next free one.`);
    }
  }
}
