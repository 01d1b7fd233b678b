/** What a test can see of a request before it is handled. */
export type FaultyRequest = {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  readonly query: URLSearchParams;
};

export type Fault =
  /** Nothing is done; the answer is this error, as the real server words it. */
  | { readonly kind: "answer"; readonly code: 409 | 429 | 500 | 503; readonly retryAfterSeconds?: number }
  /** The connection is cut: before the request takes hold, or after it did and before the answer. */
  | { readonly kind: "drop"; readonly when: "before" | "after" }
  /** The request, or only its answer, waits so long. */
  | { readonly kind: "delay"; readonly when: "before" | "after"; readonly ms: number };

type Planned = { readonly fault: Fault; readonly match: (request: FaultyRequest) => boolean; left: number };

/** Faults to come. Given to a server by its options; never made by anything but a test. */
export class Faults {
  readonly #planned: Planned[] = [];
  readonly #watchClosers = new Set<() => void>();

  /** The next `times` matching requests fail in this way. The first plan that matches is used. */
  add(fault: Fault, match: (request: FaultyRequest) => boolean = () => true, times = 1): void {
    this.#planned.push({ fault, match, left: times });
  }

  /** How many planned faults no request has met yet. */
  pending(): number {
    return this.#planned.reduce((sum, { left }) => sum + left, 0);
  }

  clear(): void {
    this.#planned.length = 0;
  }

  /** Cuts every watch that is open now, without a last event. Answers how many. */
  closeWatches(): number {
    const closers = [...this.#watchClosers];
    for (const close of closers) close();
    return closers.length;
  }

  /** For the server: the fault of this request, used up by asking. */
  take(request: FaultyRequest): Fault | undefined {
    const index = this.#planned.findIndex(({ match }) => match(request));
    const plan = this.#planned[index];
    if (plan === undefined) return undefined;
    plan.left -= 1;
    if (plan.left <= 0) this.#planned.splice(index, 1);
    return plan.fault;
  }

  /** For the server: registers an open watch; the answer unregisters it. */
  onCloseWatches(close: () => void): () => void {
    this.#watchClosers.add(close);
    return () => this.#watchClosers.delete(close);
  }
}
