import { z } from "zod";

/** Names that the platform, a shell, the loader or a runtime acts on: a secret under one would change what runs, not what it knows. */
const reserved =
  /^(PORT|HOST|HOSTNAME|HOME|PATH|PWD|OLDPWD|TMPDIR|SHELL|SHLVL|USER|LOGNAME|TERM|ENV|IFS|PS4|OPTIND|OPTARG|PPID|UID|EUID|CDPATH|SHELLOPTS|BASHOPTS|GCONV_PATH|LOCPATH|NLSPATH|NODE_OPTIONS|NODE_PATH|(SLIPWAY|LD|DYLD|GLIBC|MALLOC|BASH|KUBERNETES)_.*)$/;

/** The name of a secret, which is the environment variable that it becomes. */
export const SecretNameSchema = z
  .string()
  .regex(
    /^[A-Z][A-Z0-9_]{0,63}$/,
    "a secret's name is upper-case letters, digits and _, at most 64, starting with a letter",
  )
  .refine((name) => !reserved.test(name), "this name is reserved: something else sets or acts on that variable");

/** What one step, or the pods of one environment, are given. 20 of the largest still fit into one Kubernetes Secret. */
export const SecretNames = z
  .array(SecretNameSchema)
  .max(20)
  .refine((names) => new Set(names).size === names.length, "a name stands in it twice")
  .default([]);

export const largestSecretBytes = 32 * 1_024;
/** Shorter text would be masked in half of all lines of a log, or in none. */
export const shortestMasked = 6;

/** Text that an environment variable can hold. */
export const SecretValue = z
  .string()
  .min(1)
  .refine((value) => !value.includes("\0") && value.isWellFormed(), "a secret is text without NUL")
  .refine((value) => byteLength(value) <= largestSecretBytes, `a secret has at most ${largestSecretBytes} bytes`);

/** What a step is given must be long enough to be found again in what it prints. */
export const BuildSecretValue = SecretValue.refine(
  (value) => value.split("\n").some((line) => line.trim().length >= shortestMasked),
  `a build's secret has a line of at least ${shortestMasked} characters: a shorter one could not be masked in its log`,
);

function byteLength(text: string): number {
  return new TextEncoder().encode(text).length;
}
