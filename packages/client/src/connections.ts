import { Agent } from "undici";

export type Connections = {
  /** Runs one exchange over the present connections. */
  use<T>(exchange: (agent: Agent) => Promise<T>): Promise<T>;
  /** Ends all of them; exchanges under way are given up. */
  close(): Promise<void>;
};

/**
 * Keep-alive connections. One on which no answer came in time may have gone dead without a word (a NAT that forgot it, a host that is gone), and then so have
 * those that were opened beside it: what comes next has new ones, and the old end with what is still under way on them.
 */
export function openConnections(): Connections {
  const retired = new Set<Agent>();
  let present = open();
  const renew = (silent: Agent) => {
    if (silent !== present) return;
    present = open();
    retired.add(silent);
    void silent
      .close()
      .catch(() => undefined)
      .finally(() => retired.delete(silent));
  };
  return {
    async use(exchange) {
      const agent = present;
      try {
        return await exchange(agent);
      } catch (error) {
        if (isSilence(error)) renew(agent);
        throw error;
      }
    },
    async close() {
      await Promise.all([present, ...retired].map((agent) => agent.destroy()));
    },
  };
}

function open(): Agent {
  return new Agent({ keepAliveTimeout: 30_000, connect: { timeout: 2_000 }, connections: 32 });
}

/** The time of an attempt, or of the headers or the next bytes of a stream, is up. */
function isSilence(error: unknown): boolean {
  return error instanceof Error && /^(TimeoutError|HeadersTimeoutError|BodyTimeoutError)$/.test(error.name);
}
