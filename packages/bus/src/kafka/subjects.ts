import { backOffMs } from "../back-off.ts";

/** An event of a partition as Kafka gave it. */
export type Fetched = { readonly offset: number; readonly subject: string; readonly value: string };

/** A subject whose first event here failed: that one and what came after it wait. */
export type Waiting = { readonly subject: string; readonly events: Fetched[]; attempts: number; dueAtMs: number };

/** Subjects of one partition that wait to be tried again. Times are those of performance.now(). */
export type WaitingSubjects = {
  /** Events that wait, of all subjects. */
  readonly size: number;
  has(subject: string): boolean;
  /** The event failed, or its subject waits already. */
  add(event: Fetched): void;
  /** The first event of the subject failed (again). Answers in how many ms it is due. */
  failed(subject: string, nowMs: number): number;
  /** The first event of the subject is done. */
  done(subject: string): void;
  /** The subject that has waited longest among those whose time has come. */
  due(nowMs: number): Waiting | undefined;
  /** In how many ms the next one is due. */
  nextInMs(nowMs: number): number;
  offsets(): Iterable<number>;
};

export function waitingSubjects(): WaitingSubjects {
  const bySubject = new Map<string, Waiting>();
  let size = 0;
  const earliest = (): Waiting | undefined =>
    [...bySubject.values()].reduce<Waiting | undefined>(
      (first, one) => (first === undefined || one.dueAtMs < first.dueAtMs ? one : first),
      undefined,
    );
  return {
    get size() {
      return size;
    },
    has: (subject) => bySubject.has(subject),
    add(event) {
      const waiting = bySubject.get(event.subject);
      if (waiting !== undefined) waiting.events.push(event);
      else bySubject.set(event.subject, { subject: event.subject, events: [event], attempts: 0, dueAtMs: 0 });
      size += 1;
    },
    failed(subject, nowMs) {
      const waiting = bySubject.get(subject);
      if (waiting === undefined) return 0;
      waiting.attempts += 1;
      const inMs = backOffMs(waiting.attempts);
      waiting.dueAtMs = nowMs + inMs;
      return inMs;
    },
    done(subject) {
      const waiting = bySubject.get(subject);
      if (waiting === undefined) return;
      waiting.events.shift();
      waiting.attempts = 0;
      size -= 1;
      if (waiting.events.length === 0) bySubject.delete(subject);
    },
    due(nowMs) {
      const first = earliest();
      return first !== undefined && first.dueAtMs <= nowMs ? first : undefined;
    },
    nextInMs: (nowMs) => Math.max(0, (earliest()?.dueAtMs ?? Number.POSITIVE_INFINITY) - nowMs),
    *offsets() {
      for (const { events } of bySubject.values()) for (const { offset } of events) yield offset;
    },
  };
}
