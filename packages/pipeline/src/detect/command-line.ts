/**
 * A command line as a Procfile or a package.json script has it. `shell`: only a shell understands it. `variables`: words hold `$NAME`, which has to be
 * filled in when the process starts.
 */
export type CommandLine = {
  readonly env: Readonly<Record<string, string>>;
  readonly words: readonly string[];
  readonly shell: boolean;
  readonly variables: boolean;
};

const assignment = /^([A-Za-z_][A-Za-z0-9_]*)=(.*)$/s;
const variable = /\$(?:\{[A-Za-z_]\w*\}|[A-Za-z_]\w*)/;
/** Expansions other than of a plain variable: `$(…)`, `${X:-y}`, `$1`. */
const otherExpansion = /`|\$(?!\{[A-Za-z_]\w*\}|[A-Za-z_]\w*)/;

/** Splits a line by the quoting rules of sh; leading assignments become the environment, a leading `exec` falls away. */
export function readCommandLine(text: string): CommandLine {
  const { words, operators } = split(text.trim());
  const env: Record<string, string> = {};
  let at = 0;
  for (; at < words.length; at += 1) {
    const match = assignment.exec(words[at] ?? "");
    if (match === null) break;
    env[match[1] ?? ""] = match[2] ?? "";
  }
  if (words[at] === "exec") at += 1;
  const rest = words.slice(at);
  const inEnv = Object.values(env).some((value) => value.includes("$") || value.includes("`"));
  return {
    env,
    words: rest,
    shell: operators || inEnv || rest.length === 0 || rest.some((word) => otherExpansion.test(word)),
    variables: rest.some((word) => variable.test(word)),
  };
}

/** White space, a quoted part, a plain part, or a quote without its end. */
const parts = /\s+|'[^']*'|"[^"]*"|[^\s'"]+|['"]/g;

/** The words, and whether anything but words was there: operators, globs, comments, a quote without its end. */
function split(text: string): { words: string[]; operators: boolean } {
  const words: string[] = [];
  let joins = false;
  let operators = false;
  for (const [part] of text.matchAll(parts)) {
    const isSpace = /^\s/.test(part);
    operators ||= isSpace ? part.includes("\n") : needsReading(part);
    if (!isSpace) words.push((joins ? (words.pop() ?? "") : "") + withoutQuotes(part));
    joins = !isSpace;
  }
  return { words, operators };
}

function needsReading(part: string): boolean {
  if (part === "'" || part === '"') return true;
  // A dollar between single quotes is a dollar, and an escape between double ones is sh's business.
  if (part.startsWith("'")) return part.includes("$");
  return part.startsWith('"') ? part.includes("\\") : /[;&|<>()*?[\]~#\\!]/.test(part);
}

function withoutQuotes(part: string): string {
  return /^(['"]).*\1$/s.test(part) && part.length > 1 ? part.slice(1, -1) : part;
}
