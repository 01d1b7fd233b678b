import { execFile } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { promisify } from "node:util";

/** Checks that every source parses and keeps to a few rules. Prints file, line and rule of what does not. */
const rules = [
  { name: "no-debugger", pattern: /\bdebugger\b/ },
  { name: "no-var", pattern: /^\s*var\s/ },
  { name: "no-loose-equality", pattern: /[^=!]==[^=]|!=[^=]/ },
  { name: "no-trailing-space", pattern: /[ \t]$/ },
  { name: "line-length", pattern: /^.{121,}$/ },
];
const run = promisify(execFile);
const folders = ["src", "test/unit", "test/integration"];
const problems = [];

for (const folder of folders) {
  for (const name of (await readdir(folder)).filter((file) => file.endsWith(".mjs"))) {
    const path = `${folder}/${name}`;
    const lines = (await readFile(path, "utf8")).split("\n");
    for (const [index, line] of lines.entries()) {
      for (const rule of rules) if (rule.pattern.test(line)) problems.push(`${path}:${index + 1} ${rule.name}`);
    }
    await run(process.execPath, ["--check", path]).catch((error) => problems.push(`${path} ${error.stderr}`));
  }
}
for (const problem of problems) console.error(problem);
console.log(problems.length === 0 ? "lint: no problems" : `lint: ${problems.length} problems`);
process.exitCode = problems.length === 0 ? 0 : 1;
