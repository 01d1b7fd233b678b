import { z } from "zod";
import { type Undetected, undetected } from "./found.ts";

/** Without a prototype: a start command may name a script or a package `constructor`, and mean nothing that stands here. */
const Words = z
  .record(z.string(), z.string())
  .default({})
  .transform((words): Record<string, string> => Object.assign(Object.create(null), words));

const PackageJson = z.looseObject({
  main: z.string().optional(),
  scripts: Words,
  dependencies: Words,
  devDependencies: Words,
  engines: z.looseObject({ node: z.string().optional() }).optional(),
  packageManager: z.string().optional(),
  workspaces: z.union([z.array(z.string()), z.looseObject({ packages: z.array(z.string()).optional() })]).optional(),
});
export type PackageJson = z.infer<typeof PackageJson>;

/** Reads package.json, or says where it breaks as compilers do. */
export function readPackageJson(text: string): PackageJson | Undetected {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const { line, column } = placeOf(text, message);
    const why = message.replace(/ in JSON at position.*$/s, "").replace(/, (\.\.\.)?".*$/s, "");
    return undetected(
      `package.json:${line}:${column} ${why}`,
      "Make package.json valid JSON: npm pkg get name fails the same way on your machine.",
    );
  }
  const parsed = PackageJson.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  return undetected(
    `package.json:1:1 ${issue?.path.map(String).join(".") ?? ""}: ${issue?.message ?? "not understood"}`,
    "Make package.json what npm expects.",
  );
}

/** Line and column from 1, of the position that JSON.parse names; the end of the text where it names none. */
function placeOf(text: string, message: string): { line: number; column: number } {
  const position = Number(/at position (\d+)/.exec(message)?.[1] ?? unquotedPosition(text, message));
  const before = text.slice(0, position).split("\n");
  return { line: before.length, column: (before.at(-1)?.length ?? 0) + 1 };
}

/** V8 shows a part of the text in place of a position: `Unexpected token 'x', ..."scripts": x"... is not valid JSON`. */
function unquotedPosition(text: string, message: string): number {
  const token = /^Unexpected token '(.)', (?:\.\.\.)?"(.*?)"(?:\.\.\.)? is not valid JSON$/s.exec(message);
  const at = token === null ? -1 : text.indexOf(token[2] ?? "");
  return token === null || at === -1 ? text.length : at + middle(token[2] ?? "", token[1] ?? "");
}

/** The token stands in the middle of what is shown, or at its end where the text is short. */
function middle(shown: string, token: string): number {
  const at = shown.indexOf(token, Math.max(0, Math.floor(shown.length / 2) - 1));
  return at === -1 ? shown.lastIndexOf(token) : at;
}

/** True, false, or undefined for a range whose syntax is not read here. Reads what people write: `>=18`, `^20`, `18 || 20`, `20.x`. */
export function admitsMajor(range: string, major: number): boolean | undefined {
  const answers = range.split("||").map((part) =>
    part
      .trim()
      .split(/\s+/)
      .map((one) => admitsOne(one, major)),
  );
  if (answers.flat().includes(undefined)) return undefined;
  return answers.some((part) => part.every((answer) => answer === true));
}

function admitsOne(one: string, major: number): boolean | undefined {
  if (one === "*" || one === "x" || one === "latest") return true;
  const match = /^(>=|<=|>|<|\^|~|=|v)*(\d+)((?:\.(?:\d+|x|\*))*)$/.exec(one);
  if (match === null) return undefined;
  const named = Number(match[2]);
  const rest = /[1-9]/.test(match[3] ?? "");
  switch (one.match(/^[<>=^~]+/)?.[0]) {
    case ">=":
      return major >= named;
    case ">":
      return rest ? major >= named : major > named;
    case "<=":
      return major <= named;
    case "<":
      return rest ? major <= named : major < named;
    default:
      return major === named;
  }
}
