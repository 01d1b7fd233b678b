import type { Client } from "@slipway/client";

/** Wakes at each event of the deployment that is followed. */
export function deploymentEvents(client: Client, onEvent: () => void): { follow(id: string | undefined): void } {
  let followed: { readonly id: string; readonly controller: AbortController } | undefined;
  async function read(id: string, signal: AbortSignal): Promise<void> {
    try {
      for await (const _ of client.stream(`/api/v1/deployments/${id}/events`, { signal })) onEvent();
    } catch {
      // The looks go on by the clock.
    }
  }
  return {
    follow(id) {
      if (followed?.id === id) return;
      followed?.controller.abort();
      followed = id === undefined ? undefined : { id, controller: new AbortController() };
      if (followed !== undefined) void read(followed.id, followed.controller.signal);
    },
  };
}
