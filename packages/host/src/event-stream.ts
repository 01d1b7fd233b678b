import type { ServerResponse } from "node:http";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { EventStream, EventStreamOptions } from "./app.ts";

/** All open event streams of the process, so that stopping can end them. */
export type EventStreams = {
  open(request: FastifyRequest, reply: FastifyReply, options?: EventStreamOptions): EventStream;
  /** Ends every stream and every one that is opened from now on. Readers come back by Last-Event-ID. */
  endAll(): void;
  size(): number;
};

export function eventStreams(): EventStreams {
  const streams = new Set<EventStream>();
  let ended = false;
  return {
    open(request, reply, options = {}) {
      reply.hijack();
      const stream = takeOver(request, reply.raw, options);
      streams.add(stream);
      stream.signal.addEventListener("abort", () => streams.delete(stream), { once: true });
      if (ended) stream.end();
      return stream;
    },
    endAll() {
      ended = true;
      for (const stream of streams) stream.end();
    },
    size: () => streams.size,
  };
}

function takeOver(request: FastifyRequest, raw: ServerResponse, options: EventStreamOptions): EventStream {
  const { heartbeatMs = 15_000, maxBufferedBytes = 1_048_576 } = options;
  const gone = new AbortController();
  raw.writeHead(200, {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-store",
    "x-accel-buffering": "no",
    "x-request-id": request.id,
  });
  raw.flushHeaders();
  const heartbeat = setInterval(() => raw.write(": still here\n\n"), heartbeatMs);
  const over = () => {
    clearInterval(heartbeat);
    gone.abort();
  };
  raw.once("close", over);
  raw.on("error", () => raw.destroy());

  return {
    lastEventId: lastEventIdOf(request),
    signal: gone.signal,
    async send(event) {
      if (gone.signal.aborted || raw.writableEnded) return false;
      const room = raw.write(frame(event));
      if (raw.writableLength > maxBufferedBytes) {
        over();
        raw.destroy();
        return false;
      }
      if (!room) await drained(raw, gone.signal);
      return !gone.signal.aborted;
    },
    end() {
      raw.end();
      over();
    },
  };
}

function lastEventIdOf(request: FastifyRequest): string | undefined {
  const header = request.headers["last-event-id"];
  return typeof header === "string" && header !== "" ? header : undefined;
}

/** Line breaks in `id` and `event` would forge other fields, so they are dropped; in `data` each begins a line of its own. */
export function frame(event: { readonly id?: string; readonly event?: string; readonly data: string }): string {
  const oneLine = (value: string) => value.replaceAll(/[\r\n\0]/g, "");
  const id = event.id === undefined ? "" : `id: ${oneLine(event.id)}\n`;
  const name = event.event === undefined ? "" : `event: ${oneLine(event.event)}\n`;
  const data = event.data.split(/\r\n|\r|\n/).map((line) => `data: ${line}\n`);
  return `${id}${name}${data.join("")}\n`;
}

async function drained(raw: ServerResponse, gone: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    const done = () => {
      raw.off("drain", done);
      gone.removeEventListener("abort", done);
      resolve();
    };
    raw.once("drain", done);
    gone.addEventListener("abort", done, { once: true });
  });
}
