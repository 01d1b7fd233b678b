import { setTimeout as pause } from "node:timers/promises";
import { ProblemError } from "@slipway/contracts";
import { createParser } from "eventsource-parser";
import { problemOf } from "./answers.ts";
import type { ServerSentEvent, StreamOptions } from "./client.ts";
import type { Connections } from "./connections.ts";
import type { RetryRule } from "./retry.ts";

export type StreamSource = {
  readonly connections: Connections;
  readonly url: string;
  readonly headers: () => Record<string, string>;
  readonly rule: RetryRule;
};

/** Servers send a heartbeat each 15 s: a stream that is silent for longer than this is broken. */
const silenceMs = 45_000;

/**
 * Events over reconnects. Ends with the event `end`, with 204, or with `signal`; throws the server's problem on 4xx and
 * `unavailable` once the server has been away for `giveUpAfterMs` (default 60 s).
 */
export async function* streamEvents(source: StreamSource, options: StreamOptions): AsyncGenerator<ServerSentEvent> {
  const place: Place = {
    lastEventId: options.lastEventId,
    retryMs: 500,
    lastContact: performance.now(),
    finished: false,
    connected: false,
  };
  while (options.signal?.aborted !== true && !place.finished) {
    try {
      yield* connection(source, options, place);
    } catch (error) {
      giveUpOrGoOn(error, source, options, place);
    }
    if (place.finished || options.signal?.aborted) return;
    if (place.connected) options.onBreak?.();
    place.connected = false;
    await pauseBefore(source, options, place);
  }
}

type Place = {
  lastEventId: string | undefined;
  retryMs: number;
  lastContact: number;
  finished: boolean;
  connected: boolean;
};

function giveUpOrGoOn(error: unknown, source: StreamSource, options: StreamOptions, place: Place): void {
  if (options.signal?.aborted) return;
  if (error instanceof ProblemError && error.status < 500) throw error;
  if (performance.now() - place.lastContact < (options.giveUpAfterMs ?? 60_000)) return;
  throw error instanceof ProblemError
    ? error
    : new ProblemError("unavailable", `${source.url} could not be reached`, { cause: error });
}

async function pauseBefore(source: StreamSource, options: StreamOptions, place: Place): Promise<void> {
  const waitMs = place.retryMs * (0.5 + source.rule.random());
  await pause(waitMs, undefined, options.signal === undefined ? {} : { signal: options.signal }).catch(() => undefined);
}

async function* connection(
  source: StreamSource,
  options: StreamOptions,
  place: Place,
): AsyncGenerator<ServerSentEvent> {
  const url = new URL(source.url);
  const answer = await source.connections.use((agent) =>
    agent.request({
      origin: url.origin,
      path: `${url.pathname}${url.search}`,
      method: "GET",
      headers: {
        accept: "text/event-stream",
        ...source.headers(),
        ...(place.lastEventId === undefined ? {} : { "last-event-id": place.lastEventId }),
      },
      headersTimeout: 10_000,
      bodyTimeout: silenceMs,
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    }),
  );
  if (answer.statusCode !== 200) {
    const text = await answer.body.text();
    if (answer.statusCode === 204) place.finished = true;
    else throw problemOf({ status: answer.statusCode, text, retryAfter: undefined }, `GET ${url.pathname}`);
    return;
  }
  place.lastContact = performance.now();
  place.connected = true;
  yield* parse(answer.body, place);
}

async function* parse(body: AsyncIterable<Uint8Array>, place: Place): AsyncGenerator<ServerSentEvent> {
  const ready: ServerSentEvent[] = [];
  const parser = createParser({
    onEvent: ({ id, event, data }) => ready.push({ id, event: event ?? "message", data }),
    onRetry: (ms) => {
      place.retryMs = Math.min(ms, 30_000);
    },
  });
  const decoder = new TextDecoder();
  for await (const chunk of body) {
    place.lastContact = performance.now();
    parser.feed(decoder.decode(chunk, { stream: true }));
    for (const event of ready.splice(0)) {
      // Before the yield: who stops reading here has seen this event.
      if (event.id !== undefined) place.lastEventId = event.id;
      if (event.event === "end") place.finished = true;
      yield event;
      if (place.finished) return;
    }
  }
}
