import { z } from "zod";
import { nearest } from "./nearest.ts";

type Issue = z.core.$ZodRawIssue;
/** What a sentence says of the value itself. */
type Quote = (input: unknown) => string;

const kinds: Readonly<Record<string, string>> = {
  string: "a text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  stringbool: "true or false",
  array: "a list",
  tuple: "a list",
  object: "a map of keys and values",
  record: "a map of keys and values",
  null: "null",
};

const counted: Readonly<Record<string, readonly [string, string]>> = {
  string: ["character", "characters"],
  array: ["entry", "entries"],
  record: ["key", "keys"],
  object: ["key", "keys"],
};

/**
 * What is wrong with a value, in words for people who do not know our schemas; meant to follow the value's name and a colon. For zod's
 * `error` option; hints that stand in a schema itself win over it.
 */
export function issueText(issue: Issue): string | undefined {
  return textOf(issue, (input) => `, not ${shown(input)}`);
}

/** As `issueText`, of settings: nothing of a value is quoted, for it may be a secret, and each unknown key is told with the one that was meant. */
export function settingText(issue: Issue): string | undefined {
  if (issue.code === "invalid_format")
    return issue.format === "url"
      ? "must be a whole URL that begins with http:// or https://"
      : "has not the form that is expected here";
  if (issue.code !== "unrecognized_keys") return textOf(issue, () => "");
  const known = issue.inst instanceof z.ZodObject ? Object.keys(issue.inst.shape) : [];
  return issue.keys.map((key) => `unknown key "${key}"${nearest(key, known)}`).join("; ");
}

function textOf(issue: Issue, quoted: Quote): string | undefined {
  switch (issue.code) {
    case "invalid_type":
      return typeText(String(issue.expected), issue.input, quoted);
    case "invalid_value":
      return issue.expected === "stringbool" ? typeText("stringbool", issue.input, quoted) : choiceText(issue, quoted);
    case "too_small":
      return limitText(issue.inclusive === false ? "more than" : "at least", Number(issue.minimum), issue, quoted);
    case "too_big":
      return limitText(issue.inclusive === false ? "less than" : "at most", Number(issue.maximum), issue, quoted);
    case "invalid_format":
      return formatText(issue);
    case "invalid_key":
      return `this name is not allowed: ${issue.issues?.[0]?.message ?? "it has another form"}`;
    default:
      return undefined;
  }
}

function typeText(expected: string, input: unknown, quoted: Quote): string {
  const wanted = kinds[expected] ?? expected;
  if (input === undefined) return `is missing; it takes ${wanted}`;
  if (input === null) return `is empty (null); it takes ${wanted}`;
  return `must be ${wanted}${quoted(input)}`;
}

function choiceText(issue: Extract<Issue, { code: "invalid_value" }>, quoted: Quote): string {
  const values = issue.values.map((value) => JSON.stringify(value));
  const one = values.length === 1 ? values[0] : `one of ${values.join(", ")}`;
  if (issue.input === undefined) return `is missing; it must be ${one}`;
  // With one choice the sentence has said it already.
  const known = issue.values.length === 1 ? [] : issue.values.filter((value) => typeof value === "string");
  return `must be ${one}${quoted(issue.input)}${typeof issue.input === "string" ? nearest(issue.input, known) : ""}`;
}

function limitText(
  which: string,
  limit: number,
  { origin, input }: { origin: string; input?: unknown },
  quoted: Quote,
): string {
  const unit = counted[origin];
  if (unit === undefined) return `must be ${which} ${limit}${quoted(input)}`;
  if (which === "at least" && limit === 1) return "must not be empty";
  return `must have ${which} ${limit} ${limit === 1 ? unit[0] : unit[1]}`;
}

function formatText(issue: Extract<Issue, { code: "invalid_format" }>): string {
  if (issue.format === "starts_with") return `must begin with "${String(issue.prefix)}", not ${shown(issue.input)}`;
  if (issue.format === "url") return `must be a URL, not ${shown(issue.input)}`;
  return `${shown(issue.input)} has not the form that is expected here`;
}

/** A value as it was written, short. Lists and maps by their kind: they can be long. */
export function shown(input: unknown): string {
  if (Array.isArray(input)) return "a list";
  if (typeof input === "object" && input !== null) return "a map";
  if (typeof input === "number" && Number.isNaN(input)) return "something else";
  const text = JSON.stringify(input) ?? String(input);
  return text.length <= 60 ? text : `${text.slice(0, 50)}…`;
}

/** All that is wrong with a value, each with the place where it stands: `1.mesh_url: must be a whole URL; …`. */
export function placedText({ issues }: z.core.$ZodError): string {
  return issues
    .map(({ path, message }) => (path.length === 0 ? message : `${path.map(String).join(".")}: ${message}`))
    .join("; ");
}
