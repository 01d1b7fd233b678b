import { ProblemError } from "@slipway/contracts";
import type { FastifyInstance } from "fastify";

const firstPort = 7400;
const lastPort = 7419;

/** Opens the listener and returns its port. Without a wanted port: the first free one of 7400 to 7419. */
export async function listenOn(app: FastifyInstance, host: string, wanted: number | undefined): Promise<number> {
  for (let port = wanted ?? firstPort; ; port += 1) {
    try {
      await app.listen({ host, port });
      const address = app.server.address();
      return typeof address === "object" && address !== null ? address.port : port;
    } catch (error) {
      if (!isTaken(error)) throw error;
      if (wanted === undefined && port < lastPort) continue;
      throw taken(wanted, error);
    }
  }
}

function isTaken(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "EADDRINUSE";
}

function taken(wanted: number | undefined, cause: unknown): ProblemError {
  const what = wanted === undefined ? `Every port from ${firstPort} to ${lastPort} is` : `Port ${wanted} is`;
  return new ProblemError("port.taken", `${what} taken by another program.`, {
    remedy: "Stop it, or set SLIPWAY_PORT to a free port (0 = any).",
    cause,
  });
}
