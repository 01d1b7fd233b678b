import { connect } from "node:net";
import { connect as connectTls } from "node:tls";
import type { TestCertificates } from "./certificates.ts";
import type { RealPart } from "./part.ts";
import { type RealServer, startRealServer } from "./server.ts";

export type RealRedis = RealServer & { readonly url: string };

export type RedisOptions = {
  readonly password?: string;
  /** More of its settings, as `--name value`. */
  readonly settings?: readonly string[];
  /** Its only port speaks TLS then. */
  readonly tls?: Pick<TestCertificates, "certFile" | "keyFile" | "caFile">;
};

/** Redis that keeps nothing on disk: after a kill it is empty, as one that was wiped. */
export async function startRedis(part: RealPart, options: RedisOptions = {}): Promise<RealRedis> {
  const secret = options.password === undefined ? [] : ["--requirepass", options.password];
  const server = await startRealServer(part, {
    args: ({ port, dir }) => [
      ...(options.tls === undefined ? ["--port", String(port)] : tlsOn(port, options.tls)),
      ...["--bind", "127.0.0.1", "--dir", dir],
      ...["--save", "", "--appendonly", "no", "--daemonize", "no", ...secret, ...(options.settings ?? [])],
    ],
    // `NOAUTH` is an answer, too.
    answers: async (port) => /^(\+PONG|-NOAUTH)/.test(await ping(port, options.tls !== undefined)),
  });
  return { ...server, url: `${options.tls === undefined ? "redis" : "rediss"}://127.0.0.1:${server.port}` };
}

function tlsOn(port: number, { certFile, keyFile, caFile }: NonNullable<RedisOptions["tls"]>): string[] {
  const files = ["--tls-cert-file", certFile, "--tls-key-file", keyFile, "--tls-ca-cert-file", caFile];
  return ["--port", "0", "--tls-port", String(port), "--tls-auth-clients", "no", ...files];
}

function ping(port: number, tls: boolean): Promise<string> {
  return new Promise((resolve, reject) => {
    const to = { port, host: "127.0.0.1" };
    // Whoever it is: only that it answers is asked here.
    const socket = tls ? connectTls({ ...to, rejectUnauthorized: false }) : connect(to);
    socket.once(tls ? "secureConnect" : "connect", () => socket.write("PING\r\n"));
    socket.setTimeout(1_000, () => socket.destroy(new Error("no answer")));
    socket.once("error", reject);
    socket.once("data", (data) => {
      resolve(data.toString());
      socket.destroy();
    });
  });
}
