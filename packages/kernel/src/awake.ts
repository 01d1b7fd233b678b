const tickMs = 50;

/**
 * Does `work`, whose signal is aborted, as by `AbortSignal.timeout`, after `ms` in which this process could have read an answer. While it is held up itself (by
 * a long computation, or by a machine without a core to spare) an answer may lie there unread, and to say that there is none would be wrong: each hold
 * counts as one tick.
 */
export async function awake<T>(ms: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const over = new AbortController();
  let left = Math.ceil(ms / tickMs);
  const timer = setInterval(() => {
    left -= 1;
    if (left <= 0) over.abort(new DOMException("There was no answer in time", "TimeoutError"));
  }, tickMs);
  try {
    return await work(over.signal);
  } finally {
    clearInterval(timer);
  }
}
