import { Reason } from "@slipway/contracts";
import { typed } from "./typed.ts";

/** `--reason`, where it was given, as calls take it. Throws Unusable. */
export function reasonOf(given: string | undefined): { readonly reason?: string } {
  return given === undefined ? {} : { reason: typed(Reason, given, "--reason") };
}
