import { createServer } from "node:net";

/** Below the range from which Linux takes ports for outgoing connections, so that none of those gets in the way. */
export const lowestSlot = 20_000;
const count = 10_000;
const attempts = 200;

/**
 * A free port on 127.0.0.1 that is not in `taken`. Chosen at random: a port is not given again soon after its pod ended,
 * while a proxy may still believe in the old one. Throws when none is found.
 */
export async function freePort(random: () => number, taken: ReadonlySet<number>): Promise<number> {
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    const port = lowestSlot + Math.floor(random() * count);
    if (!taken.has(port) && (await isFree(port))) return port;
  }
  throw new Error(`no free port between ${lowestSlot} and ${lowestSlot + count - 1}`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen({ port, host: "127.0.0.1", exclusive: true }, () => server.close(() => resolve(true)));
  });
}
