import { z } from "zod";

/** What Kubernetes says of the state of a thing, as Jobs and pods have it. */
export const Conditions = z
  .array(
    z.looseObject({
      type: z.string(),
      status: z.string(),
      reason: z.string().nullish(),
      message: z.string().nullish(),
    }),
  )
  .nullish();
