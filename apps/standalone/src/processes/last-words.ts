import { closeSync, fstatSync, openSync, readSync } from "node:fs";

const tailBytes = 4_096;

/** The line of a process's log that says why it ended: its last error, else its last line. Empty where there is none. */
export function lastWords(file: string): string {
  const lines = tail(file)
    .split("\n")
    .map((line) => messageOf(line.trim()))
    .filter((line) => line !== "" && !/^(at |Node\.js v|[{}^]*$)/.test(line));
  const error = lines.findLast((line) => /^(\w*Error\b|Error:)/.test(line));
  return (error ?? lines.at(-1) ?? "").slice(0, 400);
}

function messageOf(line: string): string {
  if (!line.startsWith("{")) return line;
  try {
    const entry = JSON.parse(line) as { msg?: unknown; err?: { message?: unknown } };
    return [entry.msg, entry.err?.message].filter((part) => typeof part === "string").join(": ");
  } catch {
    return "";
  }
}

function tail(path: string): string {
  try {
    const file = openSync(path, "r");
    try {
      const { size } = fstatSync(file);
      const bytes = Buffer.alloc(Math.min(size, tailBytes));
      readSync(file, bytes, 0, bytes.length, size - bytes.length);
      return bytes.toString("utf8");
    } finally {
      closeSync(file);
    }
  } catch {
    return "";
  }
}
