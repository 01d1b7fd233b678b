import { z } from "zod";
import { EnvironmentNameSchema, RegionNameSchema, VersionNameSchema } from "../ids.ts";
import { wholeParameter } from "../whole-number.ts";

/** Path of what a service's pods print: text, or server-sent events `place`, `line`, `note` and, without `follow`, `end`. */
export const serviceLogPath = (service: string): string => `/api/v1/services/${service}/logs`;

export const ServiceLogQuery = z.strictObject({
  environment: EnvironmentNameSchema.optional(),
  region: RegionNameSchema.optional(),
  version: VersionNameSchema.optional(),
  /** Lines of each pod to begin with. */
  tail: wholeParameter(0, 2_000).prefault(100),
  /** Goes on with what comes, of pods that come too. */
  follow: z.stringbool().default(false),
});
export type ServiceLogQuery = z.infer<typeof ServiceLogQuery>;

/** Which environment's pods are shown, and where else the service runs: comes first. */
export const ServiceLogPlace = z.object({ environment: EnvironmentNameSchema, also: z.array(EnvironmentNameSchema) });
export type ServiceLogPlace = z.infer<typeof ServiceLogPlace>;

export const ServiceLogLine = z.object({ region: z.string(), pod: z.string(), version: z.string(), line: z.string() });
export type ServiceLogLine = z.infer<typeof ServiceLogLine>;

/** What is to be said beside the lines: a region that does not answer, a pod that ended. */
export const ServiceLogNote = z.object({ region: z.string(), pod: z.string().nullable(), note: z.string() });
export type ServiceLogNote = z.infer<typeof ServiceLogNote>;
