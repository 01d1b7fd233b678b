import type { Client } from "@slipway/client";
import { buildLogPath } from "@slipway/contracts";

/** Prints a build's log and goes on while the build runs. A connection that breaks resumes where it stopped. */
export async function followLog(client: Client, id: string): Promise<void> {
  for await (const event of client.stream(buildLogPath(id))) {
    if (event.event === "end") return;
    process.stdout.write(event.data.endsWith("\n") ? event.data : `${event.data}\n`);
  }
}
