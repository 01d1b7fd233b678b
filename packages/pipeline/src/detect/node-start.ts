import type { Found, Undetected } from "./found.ts";
import { isUndetected, undetected } from "./found.ts";
import type { PackageJson } from "./package-json.ts";
import { firstFile, type RepositoryView } from "./repository-view.ts";
import { type Callers, type Start, startOf } from "./start.ts";
import { isSite } from "./static-site.ts";

export type NodeStart = Start & { readonly found: Found };

/** Fills in `$NAME` and becomes the program: node has no exec, but for this. */
const filler =
  'const words = process.argv.slice(1).map((word) => word.replace(/\\$\\{?(\\w+)\\}?/g, (_, name) => process.env[name] ?? "")); process.execve(process.execPath, words);';

/** Names that a service's first file goes by, where package.json says nothing. */
const usual = ["server.js", "server.mjs", "index.js", "index.mjs", "app.js", "app.mjs", "main.js", "src/server.js"];
const scriptsDeep = 5;

/** The project's own start, without npm as the process that gets the signals; undefined where there is none. */
export function nodeStart(
  view: RepositoryView,
  own: PackageJson,
  web: string | undefined,
): NodeStart | Undetected | undefined {
  if (web !== undefined) return asFound(startOf(web, "Procfile web:", callersOf(view, own)), "Procfile web:");
  const script = own.scripts.start;
  if (script !== undefined) {
    return asFound(startOf(script, "the script start", callersOf(view, own)), "package.json scripts.start");
  }
  const files = [...(own.main === undefined ? [] : [own.main.replace(/^\.\//, "")]), ...usual];
  const file = own.scripts.build !== undefined && own.main !== undefined ? files[0] : firstFile(view, files);
  if (file === undefined || (own.main === undefined && isSite(view, own) && !listens(view, file))) return undefined;
  const why =
    file === files[0] && own.main !== undefined ? "package.json main" : "a usual name for a service's first file";
  return { command: ["node", file], env: {}, found: { what: "start", value: `node ${file}`, why } };
}

/** Beside a page such a name is the page's own script as often as a server; a server says that it listens. */
function listens(view: RepositoryView, file: string): boolean {
  return /\b(listen|createServer|serve)\(/.test(view.texts[file] ?? "");
}

function asFound(start: Start | Undetected, why: string): NodeStart | Undetected {
  if (isUndetected(start)) return start;
  const shown = start.command[1] === "-e" ? start.command.slice(3) : start.command;
  return { ...start, found: { what: "start", value: shown.join(" "), why } };
}

function callersOf(view: RepositoryView, own: PackageJson, depth = 0): Callers {
  return {
    base: "node24",
    fillIn: (words) => ["node", "--no-warnings", "-e", filler, ...words],
    call: ([program = "", ...words]) => {
      if (program === "node") return ["node", ...words];
      const script = scriptOf(program, words);
      if (script !== undefined && chooses.test(script)) return anotherPackage([program, ...words]);
      if (script !== undefined) return depth < scriptsDeep ? ofScript(view, own, script, depth) : undefined;
      const packaged =
        program === "npx" ? words.filter((word) => word !== "--yes" && word !== "-y") : [program, ...words];
      return ofPackage(own, packaged);
    },
  };
}

const chooses = /^(--filter|-F|-C|--dir|--cwd|-w|--workspace|--prefix|-r|--recursive|workspace)(=|$)/;

/** `pnpm --filter api start`, `yarn workspace api start`, `npm -w api start`: what runs in the end stands in another package.json. */
function anotherPackage(words: readonly string[]): Undetected {
  return undetected(
    `it starts by a script of another package ("${words.join(" ")}")`,
    "Say what that script runs in a Procfile, from the top of the repository, e.g. web: node packages/api/server.js.",
    "Or push that package alone: git subtree push --prefix packages/api slipway main.",
  );
}

/** The script behind `npm start`, `npm run x`, `pnpm x`, `yarn x`. */
function scriptOf(program: string, [first = "", second = ""]: readonly string[]): string | undefined {
  if (!["npm", "pnpm", "yarn"].includes(program)) return undefined;
  return first === "run" || first === "run-script" ? second : first;
}

function ofScript(view: RepositoryView, own: PackageJson, name: string, depth: number): Start | Undetected | undefined {
  const script = own.scripts[name];
  return script === undefined ? undefined : startOf(script, `the script ${name}`, callersOf(view, own, depth + 1));
}

/** A program of an installed package: npm links it as a file that node can run. */
function ofPackage(own: PackageJson, [program = "", ...words]: readonly string[]): readonly string[] | undefined {
  const name = program.replace(/^(\.\/)?node_modules\/\.bin\//, "");
  if (!/^[\w@.-]+$/.test(name) || packageOf(own, name) === undefined) return undefined;
  return ["node", `node_modules/.bin/${name}`, ...words];
}

/** Packages whose programs have other names than they. */
const otherNames = new Map([
  ["nest", "@nestjs/cli"],
  ["remix", "@remix-run/dev"],
  ["remix-serve", "@remix-run/serve"],
  ["react-router-serve", "@react-router/serve"],
]);

function packageOf(own: PackageJson, program: string): string | undefined {
  const name = otherNames.get(program) ?? program;
  return name in own.dependencies || name in own.devDependencies ? name : undefined;
}

/** True when what starts is a program of a package that only development installs: then nothing may be pruned. */
export function startsFromDevelopment(own: PackageJson, start: Start): boolean {
  const program = start.command
    .find((word) => word.startsWith("node_modules/.bin/"))
    ?.slice("node_modules/.bin/".length);
  const loaders = start.command.flatMap((word, at) =>
    /^(--import|--require|-r|--loader)$/.test(start.command[at - 1] ?? "") ? word : [],
  );
  const used = [...loaders, ...(program === undefined ? [] : [packageOf(own, program) ?? program])];
  return used.some((name) => packageNameOf(name) in own.devDependencies);
}

function packageNameOf(module: string): string {
  return module
    .split("/")
    .slice(0, module.startsWith("@") ? 2 : 1)
    .join("/");
}
