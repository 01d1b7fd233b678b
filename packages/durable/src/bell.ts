export type Bell = {
  ring(): void;
  /** Forgets what rang before. */
  mute(): void;
  /** Resolves at the next ring, or at once when it rang since `mute`, or after the time. */
  heard(withinMs: number): Promise<void>;
};

export function createBell(): Bell {
  let rung = false;
  let wakeUp: (() => void) | undefined;
  return {
    ring() {
      rung = true;
      wakeUp?.();
    },
    mute() {
      rung = false;
    },
    async heard(withinMs) {
      if (rung) return;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, withinMs);
        wakeUp = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      wakeUp = undefined;
    },
  };
}
