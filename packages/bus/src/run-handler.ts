import { CloudEvent } from "@slipway/contracts";
import { within } from "@slipway/kernel";
import type { BatchHandler, Handler, HandlerContext } from "./port.ts";

const handlerDeadlineMs = 30_000;
/** How long a handler may take to end after its signal has fired. Then the event counts as failed. */
const handlerGraceMs = 5_000;

/** Undefined when the handler took the event, else why not. `read` gives the event's body; it may throw. */
export async function runHandler(
  handler: Handler,
  read: () => unknown,
  signals: readonly AbortSignal[],
): Promise<unknown> {
  return await inTime((context) => handler(CloudEvent.parse(read()), context), signals);
}

/** The same for several events. */
export async function runBatch(
  batch: BatchHandler,
  read: () => readonly unknown[],
  signals: readonly AbortSignal[],
): Promise<unknown> {
  return await inTime(
    (context) =>
      batch(
        read().map((body) => CloudEvent.parse(body)),
        context,
      ),
    signals,
  );
}

async function inTime(
  work: (context: HandlerContext) => Promise<void>,
  signals: readonly AbortSignal[],
): Promise<unknown> {
  const timeUp = new AbortController();
  const timer = setTimeout(() => timeUp.abort(new Error("the handler took too long")), handlerDeadlineMs);
  const signal = AbortSignal.any([...signals, timeUp.signal]);
  try {
    await endedInTime(work({ signal }), signal);
    return undefined;
  } catch (error) {
    return error ?? new Error("the handler threw nothing");
  } finally {
    clearTimeout(timer);
  }
}

async function endedInTime(running: Promise<void>, signal: AbortSignal): Promise<void> {
  let graceTimer: NodeJS.Timeout | undefined;
  let begin = () => {};
  const tooLate = new Promise<never>((_, reject) => {
    begin = () => {
      graceTimer = setTimeout(() => reject(signal.reason), handlerGraceMs);
    };
    signal.addEventListener("abort", begin, { once: true });
    if (signal.aborted) begin();
  });
  try {
    await Promise.race([running, tooLate]);
  } finally {
    signal.removeEventListener("abort", begin);
    clearTimeout(graceTimer);
  }
}

/** Waits for work to end, but not for ever. */
export async function settled(work: readonly Promise<unknown>[], deadlineMs: number): Promise<void> {
  await within<unknown>(deadlineMs, Promise.allSettled(work), () => undefined);
}
