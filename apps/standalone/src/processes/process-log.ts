import { type Logger, pino } from "pino";

/** What waits for room on a full disk; more is dropped. */
const mostUnwritten = 1_048_576;

export type LogPlace = { readonly level?: string; readonly file?: string };

/** The log of one process: JSON lines in a file, or on stdout. A disk that takes no line ends no process: without this the error would. */
export function processLog(name: string, { level = "info", file }: LogPlace = {}): Logger {
  const destination = pino.destination({ dest: file ?? 1, sync: true, maxLength: mostUnwritten, mode: 0o600 });
  destination.on("error", () => undefined);
  return pino({ level, base: { process: name } }, destination);
}
