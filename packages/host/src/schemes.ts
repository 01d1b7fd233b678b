import { kafkaUrlProblem } from "@slipway/bus";

/** What each kind of URL may begin with: the only place in which adapters are chosen. */
export const schemes = {
  SLIPWAY_DATABASE_URL: ["embedded:", "postgres:", "postgresql:"],
  SLIPWAY_BUS_URL: ["postgres:", "kafka:", "kafka+ssl:"],
  SLIPWAY_LOCK_URL: ["postgres:", "redis:", "rediss:"],
  SLIPWAY_OBJECTS_URL: ["file:", "s3:"],
  SLIPWAY_EXECUTOR: ["machine:", "kubernetes:"],
  metrics_url: ["scrape:", "prometheus:"],
} as const;

/** Undefined when the scheme is one of those known and the URL can be read, else the refusal as a sentence. */
export function refuseScheme(kind: keyof typeof schemes, url: string): string | undefined {
  const scheme = /^[a-z][a-z0-9+.-]*:/i.exec(url)?.[0].toLowerCase();
  const known: readonly string[] = schemes[kind];
  if (scheme !== undefined && known.includes(scheme))
    return scheme.startsWith("kafka") ? kafkaUrlProblem(url) : undefined;
  const what = scheme === undefined ? "there is no scheme" : `${scheme} is not available`;
  return `${what}; there is: ${known.join(", ")}`;
}
