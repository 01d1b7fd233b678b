import { setTimeout as pause } from "node:timers/promises";
import { ProblemError } from "@slipway/contracts";
import { createParser } from "eventsource-parser";
import { problemOf } from "./answers.ts";
import type { ServerSentEvent, StreamOptions } from "./client.ts";
import type { Connections } from "./connections.ts";
import { type RetryRule, unreached } from "./retry.ts";
import { type Waiting, waitingFor } from "./waiting.ts";

export type StreamSource = {
  readonly connections: Connections;
  readonly url: string;
  readonly headers: () => Record<string, string>;
  readonly rule: RetryRule;
  readonly onWait?: ((why: string) => void) | undefined;
};

/** Servers send a heartbeat each 15 s: a stream that is silent for longer than this is broken. */
const silenceMs = 45_000;
const answerWithinMs = 10_000;
/** Whoever asks for something new is told soon that it is not to be had; what has begun outlives a restart of the server. */
const beginsWithinMs = 15_000;
const awayAtMostMs = 60_000;

/**
 * Events over reconnects. Ends with the event `end`, with 204, or with `signal`; throws the server's problem on 4xx and
 * `unavailable`, or what the server said last, once it has been away for `giveUpAfterMs` (default 15 s until the stream has begun, 60 s then).
 */
export async function* streamEvents(source: StreamSource, options: StreamOptions): AsyncGenerator<ServerSentEvent> {
  const place: Place = {
    lastEventId: options.lastEventId,
    retryMs: 500,
    lastContact: performance.now(),
    finished: false,
    connected: false,
    waiting: unanswered(source),
  };
  try {
    while (options.signal?.aborted !== true && !place.finished) {
      try {
        yield* connection(source, options, place);
      } catch (error) {
        giveUpOrGoOn(error, source, options, place);
      }
      if (place.finished || options.signal?.aborted) return;
      if (place.connected) {
        options.onBreak?.();
        place.waiting = unanswered(source);
      }
      place.connected = false;
      await pauseBefore(source, options, place);
    }
  } finally {
    place.waiting.end();
  }
}

function unanswered(source: StreamSource): Waiting {
  return waitingFor(source.onWait, `${whatOf(source)} has not been answered yet`);
}

function whatOf({ url }: StreamSource): string {
  return `GET ${new URL(url).pathname}`;
}

type Place = {
  lastEventId: string | undefined;
  retryMs: number;
  lastContact: number;
  finished: boolean;
  connected: boolean;
  waiting: Waiting;
  /** Until it has begun: what the server said last. */
  said?: ProblemError | undefined;
  begun?: true;
};

function giveUpOrGoOn(error: unknown, source: StreamSource, options: StreamOptions, place: Place): void {
  if (options.signal?.aborted) return;
  if (error instanceof ProblemError && error.status < 500) throw error;
  if (error instanceof ProblemError) place.said = error;
  place.waiting.because(error instanceof ProblemError ? error.message : unreached(whatOf(source), error));
  if (leftMs(options, place) > 0) return;
  throw place.said ?? new ProblemError("unavailable", unreached(whatOf(source), error), { cause: error });
}

function leftMs(options: StreamOptions, place: Place): number {
  const patienceMs = options.giveUpAfterMs ?? (place.begun === true ? awayAtMostMs : beginsWithinMs);
  return place.lastContact + patienceMs - performance.now();
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
      headersTimeout: Math.min(answerWithinMs, Math.max(1_000, leftMs(options, place))),
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
  place.begun = true;
  place.said = undefined;
  place.waiting.end();
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
