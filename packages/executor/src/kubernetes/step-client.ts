import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { Agent, type RequestOptions, request } from "node:https";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { ConnectionOptions } from "node:tls";
import { channelTls, keyIdentity, type StartBody, StepEnd, StepState } from "./channel.ts";

/** Calls the runner of one pod. Every method throws ChannelBroken where it is not to be reached, RunnerRefused where it says no. */
export type StepClient = {
  state(): Promise<StepState>;
  putFiles(to: string, tar: AsyncIterable<Uint8Array>): Promise<void>;
  start(body: StartBody): Promise<void>;
  /** Ends when the step has ended. */
  output(from: number): AsyncGenerator<Uint8Array>;
  result(): Promise<StepEnd>;
  files(from: string): Promise<AsyncIterable<Uint8Array>>;
  close(): void;
};

export class ChannelBroken extends Error {
  constructor(cause: unknown) {
    super(`the pod's runner is not reached: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    this.name = "ChannelBroken";
  }
}

export class RunnerRefused extends Error {
  constructor(status: number, text: string) {
    super(`the pod's runner answered ${status}: ${text.slice(0, 500)}`);
    this.name = "RunnerRefused";
  }
}

const connectWithinMs = 5_000;
const keepAliveMs = 10_000;

export function stepClient(place: { host: string; port: number; key: Uint8Array; signal: AbortSignal }): StepClient {
  const { host, port, signal } = place;
  const agent = new Agent({ keepAlive: true });
  const open = async (method: string, path: string, body?: AsyncIterable<Uint8Array>): Promise<IncomingMessage> => {
    const options: RequestOptions & ConnectionOptions = {
      ...{ host, port, method, path, agent, signal, ...channelTls },
      // There is no certificate to look at: who lacks the key cannot finish the handshake.
      checkServerIdentity: () => undefined,
      pskCallback: () => ({ psk: Buffer.from(place.key), identity: keyIdentity }),
    };
    const sent = request(options);
    sent.once("socket", (socket) => {
      socket.setKeepAlive(true, keepAliveMs);
      if (!socket.connecting) return;
      const timer = setTimeout(
        () => socket.destroy(new Error(`no connection in ${connectWithinMs} ms`)),
        connectWithinMs,
      );
      socket.once("secureConnect", () => clearTimeout(timer)).once("close", () => clearTimeout(timer));
    });
    const answered = once(sent, "response") as Promise<[IncomingMessage]>;
    const broke = once(sent, "close").then(() => Promise.reject(new Error("the connection was closed")));
    broke.catch(() => undefined);
    answered.catch(() => undefined);
    sent.on("error", () => undefined);
    const sending = body === undefined ? void sent.end() : pipeline(Readable.from(body), sent);
    sending?.catch(() => undefined);
    const [response] = await Promise.race([answered, broke]);
    if (response.statusCode === 200) return response;
    throw new RunnerRefused(response.statusCode ?? 0, await textOf(response));
  };
  const asked = async <T>(act: () => Promise<T>): Promise<T> => {
    try {
      return await act();
    } catch (error) {
      if (error instanceof RunnerRefused) throw error;
      throw new ChannelBroken(error);
    }
  };
  const json = (method: string, path: string, body?: object) =>
    asked(
      async () =>
        JSON.parse(await textOf(await open(method, path, body === undefined ? undefined : jsonOf(body)))) as unknown,
    );
  return {
    state: async () => StepState.parse(await json("GET", "/state")),
    putFiles: (to, tar) =>
      asked(async () => void (await textOf(await open("PUT", `/files?to=${encodeURIComponent(to)}`, tar)))),
    start: async (body) => void (await json("POST", "/start", body)),
    async *output(from) {
      const response = await asked(() => open("GET", `/output?from=${from}`));
      yield* read(response);
    },
    result: async () => StepEnd.parse(await json("GET", "/result")),
    files: (from) => asked(async () => read(await open("GET", `/files?from=${encodeURIComponent(from)}`))),
    close: () => agent.destroy(),
  };
}

async function* jsonOf(body: object): AsyncGenerator<Uint8Array> {
  yield Buffer.from(JSON.stringify(body));
}

/** What breaks off says so: an answer that is cut is no answer. */
async function* read(response: IncomingMessage): AsyncGenerator<Uint8Array> {
  const chunks = response[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
  try {
    for (;;) {
      const next = await chunks.next().catch((error: unknown) => {
        throw new ChannelBroken(error);
      });
      if (next.done === true) break;
      yield next.value;
    }
  } finally {
    response.destroy();
  }
}

async function textOf(response: IncomingMessage): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of read(response)) chunks.push(chunk);
  return Buffer.concat(chunks).toString("utf8");
}
