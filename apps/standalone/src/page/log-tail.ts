import type { Client } from "@slipway/client";
import { buildLogPath } from "@slipway/contracts";

const keptLines = 14;

/** The last lines of one build's log at a time. */
export type LogTail = { follow(client: Client, buildId: string): void; lines(): readonly string[]; stop(): void };

export function logTail(onLines: () => void): LogTail {
  let followed: { readonly id: string; readonly controller: AbortController } | undefined;
  let lines: string[] = [];
  let rest = "";

  const add = (text: string) => {
    const parts = (rest + text).split("\n");
    rest = parts.pop() ?? "";
    lines = [...lines, ...parts].slice(-keptLines);
    onLines();
  };

  async function read(client: Client, id: string, signal: AbortSignal): Promise<void> {
    try {
      for await (const event of client.stream(buildLogPath(id), { signal })) {
        if (event.event === "log" && !signal.aborted) add(event.data);
      }
    } catch {
      // The log is shown beside everything else: without it the page says what it knows, and the next look tries again.
      if (followed?.id === id) followed = undefined;
    }
  }

  return {
    follow(client, id) {
      if (followed?.id === id) return;
      followed?.controller.abort();
      followed = { id, controller: new AbortController() };
      lines = [];
      rest = "";
      void read(client, id, followed.controller.signal);
    },
    lines: () => lines,
    stop() {
      followed?.controller.abort();
      followed = undefined;
    },
  };
}
