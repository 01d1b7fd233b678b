import type { RealPart } from "./part.ts";
import { type RealServer, startRealServer } from "./server.ts";

export type RealMoto = RealServer & { readonly url: string };

/** AWS's API as moto speaks it, which takes every key. What it keeps is gone with its process. A python of this machine runs it: in no container. */
export async function startMoto(part: RealPart): Promise<RealMoto> {
  const server = await startRealServer(part, {
    args: ({ port }) => ["-m", "moto.server", "-H", "127.0.0.1", "-p", String(port)],
    before: [],
    answers: async (port) => (await fetch(`http://127.0.0.1:${port}/moto-api/`)).ok,
  });
  return { ...server, url: `http://127.0.0.1:${server.port}` };
}
