import { ProblemError } from "@slipway/contracts";
import type { Layout } from "./layout.ts";

/** As many as there are ports to choose from. */
const mostAttempts = 20;

export type StartWays<T> = {
  /** Ports that are free now and none of those that were refused before; a sentence where there are none. */
  readonly choose: (refused: ReadonlySet<number>) => Promise<Layout | string>;
  /** Starts everything on them. Rejects with `port.taken`, with everything stopped again, when somebody was quicker. */
  readonly start: (layout: Layout) => Promise<T>;
  /** The person named the port: no other will do. */
  readonly asked: boolean;
  readonly say: (sentence: string) => void;
};

/**
 * Between choosing a port and listening on it anybody may take it: then the next is chosen and everything begins anew. A port that was refused once is
 * not chosen again, however free it looks.
 */
export async function startOnFreePort<T>({ choose, start, asked, say }: StartWays<T>): Promise<T | string> {
  const refused = new Set<number>();
  for (let attempt = 1; ; attempt += 1) {
    const layout = await choose(refused);
    if (typeof layout === "string") return layout;
    try {
      return await start(layout);
    } catch (error) {
      if (!isTaken(error)) throw error;
      if (asked || attempt >= mostAttempts) return refusalOf(error);
      say(`${error.message} Starting again on the next free one.`);
      for (const port of refusedPorts(error)) refused.add(port);
    }
  }
}

function refusalOf({ message, remedy }: ProblemError): string {
  return `port.taken: ${message} ${remedy ?? ""}`.trim();
}

function isTaken(error: unknown): error is ProblemError {
  return error instanceof ProblemError && error.code === "port.taken";
}

/** What the system would not give, where the error says which. */
function refusedPorts({ cause }: ProblemError): readonly number[] {
  const { port } = Object(cause) as { readonly port?: unknown };
  return typeof port === "number" ? [port] : [];
}
