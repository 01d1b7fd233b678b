type Rule = { readonly pattern: RegExp; readonly keeps: boolean };

/**
 * Reads patterns as a .dockerignore has them: one that names a folder names all in it, `**` is any number of folders, a leading `/` means nothing, and
 * the last one that fits decides, where `!` takes back what others named. Paths have `/` between folders.
 */
export function ignoring(patterns: readonly string[]): (path: string) => boolean {
  const rules = patterns.flatMap(ruleOf);
  return (path) => {
    const ways = withParents(path);
    return rules.findLast(({ pattern }) => ways.some((way) => pattern.test(way)))?.keeps === false;
  };
}

/** The lines of a .dockerignore that are patterns. */
export function patternsOf(text: string): readonly string[] {
  return text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"));
}

function ruleOf(written: string): readonly Rule[] {
  const keeps = written.startsWith("!");
  const cleaned = (keeps ? written.slice(1) : written)
    .trim()
    .split("/")
    .filter((part) => part !== "" && part !== ".")
    .join("/");
  const pattern = cleaned === "" ? undefined : expressionOf(cleaned);
  return pattern === undefined ? [] : [{ pattern, keeps }];
}

/** Undefined for a class of characters that is none (`[z-a]`): such a pattern names nothing. */
function expressionOf(pattern: string): RegExp | undefined {
  try {
    return new RegExp(`^${sourceOf(pattern)}$`, "s");
  } catch {
    return undefined;
  }
}

const pieces = /\*\*\/?|\*|\?|\[\^?\]?[^\]]*\]|\\.|[^*?[\\]+|./gs;

function sourceOf(pattern: string): string {
  return (pattern.match(pieces) ?? []).map(pieceOf).join("");
}

function pieceOf(piece: string): string {
  if (piece === "**/") return "(?:.*/)?";
  if (piece === "**") return ".*";
  if (piece === "*") return "[^/]*";
  if (piece === "?") return "[^/]";
  if (piece.length > 2 && piece.startsWith("[")) return piece.replace(/\\(?![\]\\^-])/g, "\\\\");
  return literally(piece.length > 1 && piece.startsWith("\\") ? piece.slice(1) : piece);
}

function withParents(path: string): readonly string[] {
  const parts = path.split("/");
  return parts.map((_, at) => parts.slice(0, at + 1).join("/"));
}

/** The source of an expression that fits this text and no other. */
export function literally(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/-]/g, "\\$&");
}
