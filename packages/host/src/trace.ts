import { AsyncLocalStorage } from "node:async_hooks";
import { randomBytes } from "node:crypto";

/** W3C trace context of the request that is being handled, carried to calls made on its behalf. */
export type Trace = { readonly traceId: string; readonly spanId: string; readonly flags: string };

const current = new AsyncLocalStorage<Trace>();
const shape = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;

/** The caller's trace with a span of our own, or a new one where its header is missing or broken. */
export function traceOf(header: string | undefined, random: (bytes: number) => Buffer = randomBytes): Trace {
  const match = shape.exec(header ?? "");
  const given = match?.[1];
  const usable = given !== undefined && !/^0+$/.test(given) && !/^0+$/.test(match?.[2] ?? "0");
  return {
    traceId: usable ? given : random(16).toString("hex"),
    spanId: random(8).toString("hex"),
    flags: usable ? (match?.[3] ?? "01") : "01",
  };
}

export function withTrace(trace: Trace, run: () => void): void {
  current.run(trace, run);
}

/** The header for calls made now, or undefined outside a request. */
export function traceparent(): string | undefined {
  const trace = current.getStore();
  return trace === undefined ? undefined : `00-${trace.traceId}-${trace.spanId}-${trace.flags}`;
}
