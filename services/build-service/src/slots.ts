/** A fixed number of places, given in the order in which they were asked for. */
export type Slots = {
  /** Runs `act` when there is a place. Rejects without running it when the signal fires first. */
  use<T>(signal: AbortSignal, act: () => Promise<T>): Promise<T>;
};

export function slots(count: number): Slots {
  let free = count;
  const queue: (() => void)[] = [];
  const give = (): void => {
    const next = queue.shift();
    if (next === undefined) free += 1;
    else next();
  };
  const take = (signal: AbortSignal): Promise<void> => {
    if (free > 0) {
      free -= 1;
      return Promise.resolve();
    }
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        queue.splice(queue.indexOf(go), 1);
        reject(signal.reason);
      };
      const go = (): void => {
        signal.removeEventListener("abort", leave);
        resolve();
      };
      signal.addEventListener("abort", leave, { once: true });
      queue.push(go);
    });
  };
  return {
    use: async (signal, act) => {
      signal.throwIfAborted();
      await take(signal);
      try {
        return await act();
      } finally {
        give();
      }
    },
  };
}
