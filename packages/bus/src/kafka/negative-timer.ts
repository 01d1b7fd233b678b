let listening = false;

/**
 * kafkajs 2.2.4 sets a timer after each answer for the end of a throttling that never began: for `-1 - now`, which it means as "at once". Node takes it so,
 * too, and warns of it on stderr, once a process. No option of the library's avoids it. That one warning is not printed; any other is, and
 * after it nothing is looked at any more.
 */
export function hushNegativeTimer(): void {
  if (listening) return;
  listening = true;
  const emit = process.emitWarning;
  const unlessKafka = (...said: unknown[]): void => {
    const mine = said[1] === "TimeoutNegativeWarning" && /scheduleCheckPendingRequests/.test(new Error().stack ?? "");
    if (!mine) return void Reflect.apply(emit, process, said);
    if (process.emitWarning === unlessKafka) process.emitWarning = emit;
  };
  process.emitWarning = unlessKafka;
}
