import { z } from "zod";
import { wholeParameter } from "../whole-number.ts";

/** `?validate_only=true`: check everything, change nothing. */
export const ValidateOnly = z.object({ validate_only: z.stringbool().optional() });

export const Page = z.object({
  page_size: wholeParameter(1, 500).prefault(50),
  /** From the answer before: opaque to callers. */
  page_token: z
    .string()
    .regex(/^\d{1,15}$/, "is none that this list gave out; leave it away to begin at the newest")
    .optional(),
});

/** Why somebody asked for something: kept in the audit log. */
export const Reason = z.string().max(500);

export const WaitingView = z.object({
  for: z.string(),
  holder: z.string().optional(),
  since: z.string(),
  unblockedBy: z.string(),
});
