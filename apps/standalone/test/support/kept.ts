/** What was started, to be ended in turn, the last first. */
export function keeping() {
  const ends: (() => Promise<unknown>)[] = [];
  return {
    /** Ends something of another kind with the rest. */
    atEnd: (end: () => Promise<unknown>) => void ends.push(end),
    kept: <T extends { stop(): Promise<unknown> }>(server: T): T => {
      ends.push(() => server.stop());
      return server;
    },
    stop: async () => {
      for (const end of ends.splice(0).reverse()) await end();
    },
  };
}
