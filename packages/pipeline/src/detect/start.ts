import { type CommandLine, readCommandLine } from "./command-line.ts";
import { type Undetected, undetected } from "./found.ts";

/** What an image runs: its first words never go through a shell, since no base has one. */
export type Start = { readonly command: readonly string[]; readonly env: Readonly<Record<string, string>> };

/** How the programs of an ecosystem are called. Undefined for a program that the image will not have. */
export type Callers = {
  readonly base: string;
  /** The program behind the words, found for good, e.g. `gunicorn x` is `python3 -m gunicorn x`. */
  call(words: readonly string[]): readonly string[] | Start | Undetected | undefined;
  /** Becomes the process whose words hold `$NAME`, each filled in. Absent where the base cannot do that. */
  readonly fillIn?: (words: readonly string[]) => readonly string[];
};

/** The start of an image out of a line written for a shell, e.g. of a Procfile. */
export function startOf(text: string, where: string, callers: Callers): Start | Undetected {
  const line = readCommandLine(text);
  if (line.shell) return needsShell(text, where, callers.base);
  const called = callers.call(line.words);
  if (called === undefined) {
    return undetected(
      `${where} starts "${line.words[0]}", which the image (base ${callers.base}) does not have`,
      `Start a program that ${callers.base} can run, or write slipway.yaml (slipway init) with an image.base that has it.`,
    );
  }
  if ("kind" in called) return called;
  const { command, env } = "command" in called ? called : { command: called, env: {} };
  return withVariables({ command, env: { ...line.env, ...env } }, line, where, callers);
}

function withVariables(start: Start, line: CommandLine, where: string, callers: Callers): Start | Undetected {
  if (!line.variables || !start.command.some((word) => word.includes("$"))) return start;
  if (callers.fillIn !== undefined) return { ...start, command: callers.fillIn(start.command) };
  return undetected(
    `${where} has a variable in its words, and the base ${callers.base} has nothing that could fill it in`,
    "Let the program read $PORT from its environment.",
  );
}

function needsShell(text: string, where: string, base: string): Undetected {
  return undetected(
    `${where} ("${text}") needs a shell, and the base ${base} has none`,
    "Name one program with its arguments; do what comes before it in a step of the pipeline or in the program itself.",
    'Or write slipway.yaml (slipway init) with an image.base that has a shell, and command: ["/bin/sh", "-c", "…"].',
  );
}
