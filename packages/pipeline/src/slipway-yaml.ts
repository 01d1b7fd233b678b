import { issueText, nearest, SlipwayFile, unstorable } from "@slipway/contracts";
import type { ServiceName } from "@slipway/kernel";
import { type Document, isMap, isNode, isScalar, LineCounter, type ParsedNode, parseDocument } from "yaml";
import type { z } from "zod";
import { unitless } from "./durations.ts";
import { knownKeys } from "./known-keys.ts";
import { secretProblems } from "./secret-problems.ts";
import { sketchOf, sketchProblems } from "./sketch-problems.ts";
import { onePerPlace, unresolvedAliases, yamlText } from "./yaml-text.ts";

/** One thing that is wrong, where it is: line and column count from 1. */
export type FileError = { readonly line: number; readonly column: number; readonly message: string };

export type ParsedFile =
  | { readonly kind: "file"; readonly file: SlipwayFile }
  | { readonly kind: "errors"; readonly errors: readonly FileError[] };

const maxBytes = 256 * 1_024;
const emptyFile = "the file is empty; it needs version, service, pipeline and image (examples/order-service has one)";
/** More aliases than any honest file has: they can multiply a small file into a huge value. */
const maxAliases = 100;

/**
 * Reads slipway.yaml and answers all of its errors at once, each with its place. `service` is the service that the
 * repository is registered for.
 */
export function parseSlipwayYaml(text: string, service?: ServiceName): ParsedFile {
  if (Buffer.byteLength(text) > maxBytes)
    return failed([{ line: 1, column: 1, message: `larger than ${maxBytes} bytes` }]);
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true, prettyErrors: false });
  const place = (offset: number): { line: number; column: number } => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  if (document.errors.length > 0) {
    return failed(onePerPlace(document.errors.map((error) => ({ ...place(error.pos[0]), message: yamlText(error) }))));
  }
  const aliases = unresolvedAliases(document);
  if (aliases.length > 0) return failed(aliases.map(({ offset, message }) => ({ ...place(offset), message })));
  const value = plainValue(document);
  if (value.kind === "error") return failed([{ line: 1, column: 1, message: value.message }]);
  if (value.value === null) return failed([{ line: 1, column: 1, message: emptyFile }]);
  const at: At = (path, key) => place(keyOffset(document, path, key) ?? offsetOf(document, path));
  const unkept = unstorable(value.value);
  if (unkept.length > 0)
    return failed(unkept.map(({ at: path, message }) => ({ ...at(path), message: named(path, message) })));
  const bare = unitless(value.value).map(({ at: path, message }) => ({ ...at(path), message: named(path, message) }));
  const parsed = SlipwayFile.safeParse(value.value, { error: issueText });
  const issues = parsed.error?.issues ?? [];
  const problems = [
    ...sketchProblems(sketchOf(value.value), service).filter(({ path }) => !issues.some(isWithin(path))),
    ...(parsed.success ? secretProblems(parsed.data) : []),
  ].map(({ path, message }) => ({ ...at(path), message }));
  const errors = [...bare, ...issues.flatMap((issue) => issueErrors(issue, at)), ...problems];
  return parsed.success && errors.length === 0 ? { kind: "file", file: parsed.data } : failed(errors);
}

/** `slipway.yaml:3:5 message`, as compilers say it. */
export function fileErrorText(error: FileError): string {
  return `slipway.yaml:${error.line}:${error.column} ${error.message}`;
}

function failed(errors: readonly FileError[]): ParsedFile {
  return { kind: "errors", errors: [...errors].sort((a, b) => a.line - b.line || a.column - b.column) };
}

function plainValue(document: Document.Parsed): { kind: "value"; value: unknown } | { kind: "error"; message: string } {
  try {
    return { kind: "value", value: document.toJS({ maxAliasCount: maxAliases }) };
  } catch (error) {
    return { kind: "error", message: error instanceof Error ? error.message : String(error) };
  }
}

type At = (path: readonly PropertyKey[], key?: string) => { line: number; column: number };

/** What stands at a place that cannot be read says enough of it. */
function isWithin(path: readonly PropertyKey[]): (issue: z.core.$ZodIssue) => boolean {
  return (issue) => path.every((part, index) => issue.path[index] === part);
}

/** A key that is wrong itself is shown at the key, everything else at the value, or at the nearest one that exists. */
function issueErrors(issue: z.core.$ZodIssue, at: At): FileError[] {
  if (issue.code === "invalid_key") {
    return [{ ...at(issue.path.slice(0, -1), String(issue.path.at(-1))), message: named(issue.path, issue.message) }];
  }
  if (issue.code !== "unrecognized_keys") return [{ ...at(issue.path), message: named(issue.path, issue.message) }];
  return issue.keys.map((key) => {
    const full = [...issue.path, key].map(String).join(".");
    return { ...at(issue.path, key), message: `unknown key "${full}"${nearest(key, knownKeys(issue.path))}` };
  });
}

function named(path: readonly PropertyKey[], message: string): string {
  return path.length === 0 ? `the file ${message}` : `${path.map(String).join(".")}: ${message}`;
}

function offsetOf(document: Document.Parsed, path: readonly PropertyKey[]): number {
  for (let length = path.length; length >= 0; length -= 1) {
    const node = length === 0 ? document.contents : document.getIn(path.slice(0, length), true);
    if (isNode(node) && node.range != null) return (node as ParsedNode).range[0];
  }
  return 0;
}

function keyOffset(document: Document.Parsed, path: readonly PropertyKey[], key?: string): number | undefined {
  const map = path.length === 0 ? document.contents : document.getIn(path, true);
  if (key === undefined || !isMap(map)) return undefined;
  const found = map.items.find((item) => isScalar(item.key) && String(item.key.value) === key)?.key;
  return isScalar(found) ? found.range?.[0] : undefined;
}

/** YAML as plain values, within the limits of slipway.yaml but whatever it says. Throws with the first mistake. */
export function readYaml(text: string): unknown {
  if (Buffer.byteLength(text) > maxBytes) throw new Error(`larger than ${maxBytes} bytes`);
  const document = parseDocument(text, { uniqueKeys: true, prettyErrors: false });
  const [mistake] = document.errors;
  if (mistake !== undefined) throw new Error(mistake.message);
  const value = plainValue(document);
  if (value.kind === "error") throw new Error(value.message);
  return value.value;
}
