import { nearest } from "@slipway/contracts";

/**
 * What is to be said of a secret for a service that nobody knows, with the nearest known name; undefined for one that is known. Setting secrets before the
 * first push is legitimate, so that it is no refusal.
 */
export function unknownServiceWarning(service: string, known: readonly string[]): string | undefined {
  if (known.includes(service)) return undefined;
  return `No service ${service} is known yet${nearest(service, known) || "."} The secret waits for its first push or deployment.`;
}
