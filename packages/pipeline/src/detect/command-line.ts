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

/** The words, and whether anything but words was there: operators, globs, comments, a quote without its end. */
function split(text: string): { words: string[]; operators: boolean } {
  const words: string[] = [];
  let word: string | undefined;
  let operators = false;
  for (let at = 0; at < text.length; at += 1) {
    const char = text[at] ?? "";
    if (char === "'" || char === '"') {
      const end = text.indexOf(char, at + 1);
      if (end === -1) return { words, operators: true };
      const quoted = text.slice(at + 1, end);
      // A dollar between single quotes is a dollar, and an escape between double ones is sh's business.
      operators ||= (char === "'" && quoted.includes("$")) || (char === '"' && quoted.includes("\\"));
      word = (word ?? "") + quoted;
      at = end;
    } else if (/\s/.test(char)) {
      operators ||= char === "\n";
      if (word !== undefined) words.push(word);
      word = undefined;
    } else {
      operators ||= /[;&|<>()*?[\]~#\\!]/.test(char);
      word = (word ?? "") + char;
    }
  }
  if (word !== undefined) words.push(word);
  return { words, operators };
}
