export type Signal = "SIGKILL" | "SIGSTOP" | "SIGCONT";

/** A server that was started, by itself or in a container. */
export type Running = { kill(signal: Signal): Promise<void>; readonly ended: Promise<void>; words(): string };

/** How it is started. */
export type Command = {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly dir: string;
};
