import type { z } from "zod";

/** `remedy`: what to do, where it is more than to correct the variable. */
export type ConfigProblem = { readonly variable: string; readonly message: string; readonly remedy?: string };

/** Everything that is wrong with the configuration, at once: one line per problem, each with its variable. */
export class ConfigError extends Error {
  readonly problems: readonly ConfigProblem[];

  constructor(problems: readonly ConfigProblem[]) {
    const lines = problems.map(
      ({ variable, message, remedy }) => `  ${variable}: ${message}${remedy === undefined ? "" : `: ${remedy}`}`,
    );
    super(
      `the configuration has ${problems.length === 1 ? "a problem" : `${problems.length} problems`}:\n${lines.join("\n")}`,
    );
    this.name = "ConfigError";
    this.problems = problems;
  }
}

export function problemsOf(error: z.core.$ZodError | undefined): readonly ConfigProblem[] {
  return (error?.issues ?? []).map((issue) => ({
    variable: issue.path.length === 0 ? "SLIPWAY_*" : issue.path.map(String).join("."),
    message: issue.message,
  }));
}
