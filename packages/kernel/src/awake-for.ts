const tickMs = 50;

/**
 * Aborted, as by `AbortSignal.timeout`, after `ms` in which this process could have read an answer. While it is held up itself (by a long computation, or by
 * a machine without a core to spare) an answer may lie there unread, and to say that there is none would be wrong: each hold counts as one tick.
 */
export function awakeFor(ms: number): AbortSignal {
  const controller = new AbortController();
  let left = Math.ceil(ms / tickMs);
  const timer = setInterval(() => {
    left -= 1;
    if (left > 0) return;
    clearInterval(timer);
    controller.abort(new DOMException("There was no answer in time", "TimeoutError"));
  }, tickMs).unref();
  return controller.signal;
}
