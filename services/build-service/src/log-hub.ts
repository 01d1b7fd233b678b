/** Tells readers of logs that there may be more to read: one LISTEN connection for all of them. */
export type LogHub = {
  /** Called for each notification. "" = some may have been lost: everybody looks again. */
  announce(buildId: string): void;
  watch(buildId: string): LogWatch;
};

export type LogWatch = {
  /** Rises with each announcement. Note it before reading, then wait for it to have changed. */
  version(): number;
  /** Resolves when the version is no longer `seen`, after `timeoutMs`, or when `signal` fires. */
  changed(seen: number, timeoutMs: number, signal: AbortSignal): Promise<void>;
  close(): void;
};

type Watched = { version: number; readonly waiting: Set<() => void>; readers: number };

export function logHub(): LogHub {
  const builds = new Map<string, Watched>();
  const wake = (watched: Watched): void => {
    watched.version += 1;
    for (const go of [...watched.waiting]) go();
  };
  return {
    announce: (buildId) => {
      if (buildId === "") for (const watched of builds.values()) wake(watched);
      const watched = builds.get(buildId);
      if (watched !== undefined) wake(watched);
    },
    watch: (buildId) => {
      const watched = builds.get(buildId) ?? { version: 0, waiting: new Set(), readers: 0 };
      builds.set(buildId, watched);
      watched.readers += 1;
      return {
        version: () => watched.version,
        changed: (seen, timeoutMs, signal) => changed(watched, seen, timeoutMs, signal),
        close: () => {
          watched.readers -= 1;
          if (watched.readers === 0) builds.delete(buildId);
        },
      };
    },
  };
}

function changed(watched: Watched, seen: number, timeoutMs: number, signal: AbortSignal): Promise<void> {
  if (watched.version !== seen || signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const go = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", go);
      watched.waiting.delete(go);
      resolve();
    };
    const timer = setTimeout(go, timeoutMs);
    signal.addEventListener("abort", go, { once: true });
    watched.waiting.add(go);
  });
}
