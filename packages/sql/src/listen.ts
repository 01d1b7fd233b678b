import type { Logger } from "./logger.ts";

export type ListenOptions = {
  readonly url: string;
  readonly channel: string;
  /** Also called after each (re)connection, since notifications are lost while away. */
  readonly onNotify: (payload: string) => void;
  readonly log: Logger;
};

export async function listen(options: ListenOptions): Promise<{ close(): Promise<void> }> {
  throw new Error(`not written yet: ${options.channel}`);
}
