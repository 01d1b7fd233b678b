import { Readable } from "node:stream";
import { anyRole, BuildIdSchema, ProblemError, type RawOperation } from "@slipway/contracts";
import type { Durable } from "@slipway/durable";
import type { EventStream, ServiceApp } from "@slipway/host";
import type { BuildId } from "@slipway/kernel";
import { z } from "zod";
import type { BuildMachine } from "./build-world.ts";
import { terminalPhases } from "./domain/decide.ts";
import type { BuildState } from "./domain/state.ts";
import type { LogHub } from "./log-hub.ts";
import { type LogPlaces, readLog } from "./log-reader.ts";
import { logLength } from "./log-store.ts";
import { statusOf } from "./view.ts";

export type LogPorts = LogPlaces & {
  readonly durable: Durable;
  readonly machine: BuildMachine;
  readonly hub: LogHub;
};

/** Readers look again after this long even if nobody told them to. */
const lookAgainMs = 5_000;
const logs: RawOperation = {
  id: "getBuildLogs",
  method: "GET",
  path: "/api/v1/builds/:id/logs",
  summary: "The log of a build: as text, or live as server-sent events whose id is the byte offset behind them",
  auth: "token",
  roles: anyRole,
  parameters: [
    { name: "from", in: "query", description: "Byte offset to begin at." },
    { name: "Last-Event-ID", in: "header", description: "The same, as a client of events sends it." },
    { name: "Accept", in: "header", description: "`text/event-stream` follows the build until it ends." },
  ],
  answers: {
    200: { description: "What there is; as a stream of events also what comes", type: "text/plain" },
    204: { description: "The build has ended and the reader has everything" },
  },
  errors: "problem",
};
const Offset = z.coerce.number().int().nonnegative();

/**
 * GET /api/v1/builds/:id/logs. As text: what there is, from `?from=<byte>`. As server-sent events: what there is and then what
 * comes, until the build has ended. An event's id is the offset behind it, so `Last-Event-ID` goes on without loss or repeat.
 */
export function logRoutes(app: ServiceApp, ports: LogPorts): void {
  app.describe(logs);
  app.raw.get(logs.path, async (request, reply) => {
    await app.authorize(request, anyRole);
    const id = BuildIdSchema.safeParse((request.params as { id: string }).id);
    const state = id.success ? await stateOf(ports, id.data) : undefined;
    if (!id.success || state === undefined) {
      const { id: asked } = request.params as { id: string };
      throw new ProblemError("build.not_found", `There is no build ${asked}.`, {
        remedy: "A build id looks like B-12.",
      });
    }
    const last = request.headers["last-event-id"];
    const from = Offset.safeParse((request.query as { from?: string }).from ?? last ?? 0);
    if (!from.success)
      throw new ProblemError("request.invalid", "from (or Last-Event-ID) is a number of bytes: 0 or more.");
    if (!(request.headers.accept ?? "").includes("text/event-stream")) {
      reply.header("content-type", "text/plain; charset=utf-8").header("x-slipway-build-status", statusOf(state));
      return reply.send(Readable.from(await begun(readLog(ports, id.data, from.data)), { objectMode: false }));
    }
    // 204 tells a client that reconnects after the end not to come back.
    const length = await logLength(ports.db, id.data);
    if (isTerminal(state) && last !== undefined && from.data >= length) return reply.status(204).send();
    const there = await begun(readLog(ports, id.data, from.data));
    await follow(ports, id.data, { from: from.data, there }, app.events(request, reply));
    return reply;
  });
}

/** With the first piece read: what keeps a log from being read is an answer, and no stream that breaks off. */
async function begun(pieces: AsyncGenerator<Buffer>): Promise<AsyncIterable<Buffer>> {
  let first: Promise<IteratorResult<Buffer>> | undefined = pieces.next();
  await first;
  const next = (): Promise<IteratorResult<Buffer>> => {
    const piece = first ?? pieces.next();
    first = undefined;
    return piece;
  };
  return { [Symbol.asyncIterator]: () => ({ next, return: () => pieces.return(undefined) }) };
}

type Beginning = { readonly from: number; readonly there: AsyncIterable<Buffer> };

async function follow(ports: LogPorts, id: BuildId, { from, there }: Beginning, stream: EventStream): Promise<void> {
  const watch = ports.hub.watch(id);
  let at = from;
  const send = async (pieces: AsyncIterable<Buffer>): Promise<number> => {
    const before = at;
    for await (const bytes of pieces) {
      at += bytes.length;
      if (!(await stream.send({ id: String(at), event: "log", data: bytes.toString("utf8") }))) break;
    }
    return at - before;
  };
  try {
    await send(there);
    while (!stream.signal.aborted) {
      // In this order: what is written after the state was read is announced and read in the next turn.
      const seen = watch.version();
      const state = await stateOf(ports, id);
      if ((await send(readLog(ports, id, at))) > 0) continue;
      if (state === undefined || isTerminal(state)) {
        await stream.send({ id: String(at), event: "end", data: state === undefined ? "" : statusOf(state) });
        return;
      }
      await watch.changed(seen, lookAgainMs, stream.signal);
    }
  } finally {
    watch.close();
    stream.end();
  }
}

async function stateOf(ports: LogPorts, id: BuildId): Promise<BuildState | undefined> {
  return (await ports.durable.read(ports.machine, id))?.state;
}

function isTerminal(state: BuildState): boolean {
  return (terminalPhases as readonly string[]).includes(state.phase);
}
