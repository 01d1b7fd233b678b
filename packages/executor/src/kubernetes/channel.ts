import { hkdfSync } from "node:crypto";
import { z } from "zod";

/**
 * What build-service and runner agree on: HTTP over TLS with a key that both know, and no certificates.
 *
 *   GET  /state                 -> StepState
 *   PUT  /files?to=<folder>     a tar, before the start
 *   POST /start                 StartBody; a second one changes nothing
 *   GET  /output?from=<byte>    what the step prints, until it has ended
 *   GET  /result                -> StepEnd
 *   GET  /files?from=<folder>   a tar, after the end
 */
export const stepPort = 7_451;
export const keyIdentity = "slipway";
export const channelTls = {
  ciphers: "ECDHE-PSK-CHACHA20-POLY1305",
  minVersion: "TLSv1.2",
  maxVersion: "TLSv1.2",
} as const;

/** Variable of the pod with the key, in base64. */
export const keyVariable = "SLIPWAY_STEP_KEY";

/** Folders of the pod. What is below `base` besides is the runner's; only BuildKit has one to work in, which never leaves the pod, and one for its cache. */
export const podFolders = {
  workspace: "/workspace",
  base: "/slipway",
  home: "/slipway/home",
  tools: "/slipway/tools",
  buildkit: "/buildkit",
  cache: "/buildkit-cache",
} as const;

/** The key of one run: whoever has the secret knows it, and nobody has to keep it. */
export function keyOfRun(secret: string, run: string): Buffer {
  return Buffer.from(hkdfSync("sha256", secret, "slipway step", run, 32));
}

const Limits = z.object({
  memoryBytes: z.number(),
  processes: z.number(),
  cpus: z.number(),
  outputBytes: z.number(),
  diskBytes: z.number(),
  tmpBytes: z.number(),
});

export const StartBody = z.object({
  command: z.tuple([z.string()], z.string()),
  /** The environment of the image is the step's too. */
  imageEnv: z.boolean(),
  env: z.record(z.string(), z.string()),
  secretEnv: z.record(z.string(), z.string()),
  home: z.boolean(),
  timeoutMs: z.number(),
  limits: Limits,
});
export type StartBody = z.infer<typeof StartBody>;

export const StepState = z.object({ phase: z.enum(["open", "running", "ended"]) });
export type StepState = z.infer<typeof StepState>;

export const StepEnd = z.object({
  outcome: z.enum(["succeeded", "failed", "timed_out", "cancelled"]),
  exitCode: z.number().nullable(),
  reason: z.string().optional(),
});
export type StepEnd = z.infer<typeof StepEnd>;
