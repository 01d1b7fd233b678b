import { connect } from "node:net";
import type { RealPart } from "./part.ts";
import { type RealServer, startRealServer } from "./server.ts";

export type RealRedis = RealServer & { readonly url: string };

/** Redis that keeps nothing on disk: after a kill it is empty, as one that was wiped. */
export async function startRedis(part: RealPart, options: { readonly password?: string } = {}): Promise<RealRedis> {
  const secret = options.password === undefined ? [] : ["--requirepass", options.password];
  const server = await startRealServer(part, {
    args: ({ port, dir }) => [
      ...["--port", String(port), "--bind", "127.0.0.1", "--dir", dir],
      ...["--save", "", "--appendonly", "no", "--daemonize", "no", ...secret],
    ],
    // `NOAUTH` is an answer, too.
    answers: async (port) => /^(\+PONG|-NOAUTH)/.test(await ping(port)),
  });
  return { ...server, url: `redis://127.0.0.1:${server.port}` };
}

function ping(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => socket.write("PING\r\n"));
    socket.setTimeout(1_000, () => socket.destroy(new Error("no answer")));
    socket.once("error", reject);
    socket.once("data", (data) => {
      resolve(data.toString());
      socket.destroy();
    });
  });
}
