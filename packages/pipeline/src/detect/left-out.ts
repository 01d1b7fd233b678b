import { ignoring, literally, patternsOf } from "../ignore-patterns.ts";
import type { Found } from "./found.ts";
import { isCode, type RepositoryView } from "./repository-view.ts";

/** What of the commit is not in a detected image, and why. */
export type LeftOut = {
  readonly exclude: readonly string[];
  readonly found: readonly Found[];
  readonly notes: readonly string[];
};

/** The repository's own and its tools': no program reads them while it runs. npm leaves .npmrc out of every package, too: it may hold a token. */
const ofTools = [
  ...[".git*", ".circleci", ".travis.yml", ".vscode", ".idea", ".editorconfig", "**/.DS_Store", ".npmrc"],
  ...[".dockerignore", "Dockerfile*", "Containerfile*", "docker-compose*.y*ml", "compose.y*ml"],
];
const document = /^(README|CHANGELOG|CONTRIBUTING|CODE_OF_CONDUCT|SECURITY)(\.(md|rst|txt|adoc))?$/i;
const testFolders = ["test", "tests", "__tests__", "e2e", "cypress"];
const testFiles = ["**/*.{}.[jt]s", "**/*.{}.[cm][jt]s", "**/*.{}.[jt]sx"];
const otherTests = ["**/__tests__", "**/test_*.py", "**/*_test.py", "**/conftest.py"];

/**
 * Documents and tests are left out only where all code was looked through and none of it names them, so that nothing is missing that a program
 * opens while it runs. A .dockerignore says it for itself, whatever names what. What the start line names stays in any case.
 */
export function leftOut(view: RepositoryView, command: readonly string[]): LeftOut {
  const tools = present(view, ofTools);
  const docker = patternsOf(view.texts[".dockerignore"] ?? "");
  const candidates = candidatesOf(view);
  const searched = searchedTexts(view, command);
  const named = candidates.flatMap((one) => {
    const by = searched === undefined ? "there is more code than is looked through" : namedBy(one, searched);
    return by === undefined ? [] : [{ ...one, by }];
  });
  const own = candidates.filter(({ pattern }) => !named.some((one) => one.pattern === pattern));
  const exclude = [...tools, ...own.map(({ pattern }) => pattern), ...docker];
  const needed = startedFrom(view, command).filter(ignoring(exclude));
  return {
    exclude: [...exclude, ...needed.map((path) => `!${path}`)],
    found: foundOf(exclude, docker.length > 0),
    notes: named.map(({ pattern, by }) => `${pattern} is in the image: ${by}.`),
  };
}

/** For what is served as it lies there: anything may be asked for, so that only what tools need is left out. */
export function leftOutOfSite(view: RepositoryView): LeftOut {
  const docker = patternsOf(view.texts[".dockerignore"] ?? "");
  const exclude = [...present(view, ofTools), ...docker];
  return { exclude, found: foundOf(exclude, docker.length > 0), notes: [] };
}

type Candidate = { readonly pattern: string; readonly mention: RegExp };

function candidatesOf(view: RepositoryView): readonly Candidate[] {
  const documents = view.paths.filter((path) => document.test(path));
  const folders = testFolders.filter((folder) => view.paths.some((path) => path.startsWith(`${folder}/`)));
  const files = ["test", "spec"].flatMap((word) => testFiles.map((file) => file.replace("{}", word)));
  const beside = present(view, [...files, ...otherTests], folders);
  return [
    ...documents.map((name) => ({ pattern: name, mention: new RegExp(literally(name), "i") })),
    ...folders.map((folder) => ({ pattern: folder, mention: mentionOf(folder) })),
    ...beside.map((pattern) => ({
      pattern,
      mention: /["'`][^"'`\n]*\.(test|spec)\b|\b__tests__\b|\bconftest\b|\bimport\s+\w*_?test_\w+/,
    })),
  ];
}

/** A folder as code names it: in a path, as a path of its own that is not merely compared with, or as a Python package. */
function mentionOf(folder: string): RegExp {
  const inPath = `["'\`](?:[^"'\`\\n]*/)?${folder}/|["'\`][^"'\`\\n]*/${folder}["'\`]`;
  const alone = `(?<![=!]==?\\s*|\\bcase\\s+)["'\`]${folder}["'\`]`;
  const module = `^\\s*(?:from|import)\\s+${folder}\\b`;
  return new RegExp(`${inPath}|${alone}|${module}`, "m");
}

/** Text of all code that runs, by path; undefined where there is more than was read. */
function searchedTexts(
  view: RepositoryView,
  command: readonly string[],
): readonly (readonly [string, string])[] | undefined {
  const texts = { ...view.texts, ...view.further };
  const code = view.paths.filter(isCode);
  if (code.some((path) => texts[path] === undefined)) return undefined;
  return [
    ["the start line", JSON.stringify(command)],
    ["package.json", entriesOf(view.texts["package.json"])],
    ...code.map((path) => [path, texts[path] ?? ""] as const),
  ];
}

/** What a package names as its own parts. Its scripts are not among them: those run before there is an image. */
function entriesOf(manifest = "{}"): string {
  try {
    const { main, exports, imports, bin } = JSON.parse(manifest) as Readonly<Record<string, unknown>>;
    return JSON.stringify({ main, exports, imports, bin });
  } catch {
    // Of a service in another language, beside which it lies broken.
    return "";
  }
}

function namedBy({ mention }: Candidate, searched: readonly (readonly [string, string])[]): string | undefined {
  const found = searched.find(([, text]) => mention.test(text));
  return found === undefined ? undefined : `${found[0]} names it`;
}

/** Those that name something of the commit, other than what is below `but`. */
function present(view: RepositoryView, patterns: readonly string[], but: readonly string[] = []): readonly string[] {
  const paths = view.paths.filter((path) => !but.some((folder) => path.startsWith(`${folder}/`)));
  return patterns.filter((pattern) => paths.some(ignoring([pattern])));
}

/** Files of the commit that the start line names, and what tells Node how to read them. */
function startedFrom(view: RepositoryView, command: readonly string[]): readonly string[] {
  const names = command.flatMap((word) => {
    const module = word.replace(/:.*/s, "").replaceAll(".", "/");
    const files = [`${module}.py`, `${module}/__init__.py`];
    return [word.replace(/^\.\//, ""), ...files, ...files.map((file) => `src/${file}`)];
  });
  return [...new Set([...names, "package.json"])].filter((name) => view.paths.includes(name));
}

const shownNames = 6;

function foundOf(exclude: readonly string[], docker: boolean): readonly Found[] {
  if (exclude.length === 0) return [];
  const shown = exclude.slice(0, shownNames).join(", ");
  const more = exclude.length > shownNames ? ` and ${exclude.length - shownNames} more` : "";
  const why = docker ? ".dockerignore, and what no code names: image.exclude" : "no code names it: image.exclude";
  return [{ what: "left out", value: `${shown}${more}`, why }];
}
