import { execFile } from "node:child_process";
import { realpath, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import type { Entry } from "./entries.ts";
import { OciError } from "./errors.ts";

const lddDeadlineMs = 20_000;
/** Where it takes one file: dozens of processes would take the machine. */
const atOnce = 4;
const mostOutput = 16 * 1_024 ** 2;

/** What a program is linked to, and what it is linked to and is not on this machine. */
export type Linked = {
  readonly program: string;
  readonly libraries: readonly string[];
  readonly missing: readonly string[];
};

/** Paths from the output of ldd for one program: of every library by the name it is asked for, and of the loader itself. */
export function parseLdd(output: string): Omit<Linked, "program"> {
  const paths = new Set<string>();
  const missing: string[] = [];
  for (const line of output.split("\n")) {
    const lost = /^\s*(\S+)\s*=>\s*not found/.exec(line)?.[1];
    if (lost !== undefined) missing.push(lost);
    const path = /=>\s*(\/\S+)/.exec(line)?.[1] ?? /^\s*(\/\S+)\s+\(0x/.exec(line)?.[1];
    if (path !== undefined) paths.add(path);
  }
  return { libraries: [...paths].sort(), missing };
}

/** Of each program (or shared object) the libraries that the loader of this machine would give it. Throws `invalid`. */
export async function linkedTo(programs: readonly string[]): Promise<readonly Linked[]> {
  // The ldd of glibc takes many files, and heads what it says of each with its name. That of musl takes one; and what fails is to be told of its own file.
  const ofAll = programs.length < 2 ? undefined : sectionsOf(await runLdd(programs).catch(() => ""), programs);
  if (ofAll !== undefined) return ofAll.map((section, at) => ({ program: programs[at] ?? "", ...parseLdd(section) }));
  const found: Linked[] = [];
  for (let at = 0; at < programs.length; at += atOnce)
    found.push(...(await Promise.all(programs.slice(at, at + atOnce).map(linkedToOne))));
  return found;
}

/** What ldd says of each of several files; undefined where it does not say something of every one. */
export function sectionsOf(output: string, programs: readonly string[]): readonly string[] | undefined {
  const sections: string[][] = [];
  for (const line of output.split("\n")) {
    if (line === `${programs[sections.length]}:`) sections.push([]);
    else sections.at(-1)?.push(line);
  }
  return sections.length === programs.length ? sections.map((lines) => lines.join("\n")) : undefined;
}

async function linkedToOne(program: string): Promise<Linked> {
  return { program, ...parseLdd(await runLdd([program])) };
}

async function runLdd(programs: readonly string[]): Promise<string> {
  const env = { LC_ALL: "C", PATH: "/usr/bin:/bin" };
  const options = { timeout: lddDeadlineMs, maxBuffer: mostOutput, env };
  const { stdout } = await promisify(execFile)("ldd", [...programs], options).catch(
    (cause: { stdout?: string; stderr?: string }) => {
      // A program without a dynamic part is an error to some versions of ldd.
      if (/not a (valid )?dynamic (executable|program)/i.test(`${cause.stdout}${cause.stderr}`))
        return { stdout: cause.stdout ?? "" };
      throw new OciError("invalid", `ldd could not list the libraries of ${programs[0]}`, { cause });
    },
  );
  return stdout;
}

/** The libraries of programs that have all of them. Throws `invalid` where one is missing. */
export async function librariesOf(programs: readonly string[]): Promise<readonly string[]> {
  const linked = await linkedTo(programs);
  const broken = linked.find(({ missing }) => missing.length > 0);
  if (broken !== undefined)
    throw new OciError("invalid", `a library of ${broken.program} is missing: ${broken.missing.join(", ")}`);
  return [...new Set(linked.flatMap(({ libraries }) => libraries))].sort();
}

/** The given libraries, and those beside libc of which no linker tells. */
export async function withLoadedLater(
  libraries: readonly string[],
  names: readonly string[],
): Promise<readonly string[]> {
  const libc = libraries.find((path) => /\/libc\.so\.6$/.test(path));
  if (libc === undefined) return libraries;
  const beside = await Promise.all(names.map((name) => ifFile(join(dirname(libc), name))));
  return [...new Set([...libraries, ...beside.filter((path) => path !== undefined)])].sort();
}

async function ifFile(path: string): Promise<string | undefined> {
  return (await stat(path).catch(() => undefined))?.isFile() === true ? path : undefined;
}

/** A file of this machine as an entry, itself and never a link to it. */
export async function fileEntry(name: string, path: string, mode = 0o755): Promise<Entry> {
  const real = await realpath(path);
  return { kind: "file", name, mode, size: (await stat(real)).size, from: { path: real } };
}
