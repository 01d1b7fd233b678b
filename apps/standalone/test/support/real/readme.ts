import { existsSync, mkdirSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { entryPoints, home } from "../bundle.ts";
import { type Ran, runCommand } from "../run-command.ts";

/** The README's section "How anyone can see that it is real": what a reader types first, and each claim with its commands. */
export type RealSection = { readonly setup: string; readonly claims: ReadonlyMap<string, string> };

export function readRealSection(): RealSection {
  const readme = readFileSync(join(home, "README.md"), "utf8");
  const section = /<!-- real -->\n([\s\S]*?)<!-- \/real -->/.exec(readme)?.[1] ?? "";
  const setup = /^```sh\n([\s\S]*?)```/.exec(section)?.[1] ?? "";
  const claims = [...section.matchAll(/^\*\*([^*]+)\*\*[^`]*(?:`[^`\n]+`[^`]*)*\n```sh\n([\s\S]*?)```/gm)];
  return { setup, claims: new Map(claims.map(([, claim = "", commands = ""]) => [claim, commands])) };
}

/** The line of the setup that changes something; the tests have done the same by then. */
const holdLine = /^slipway deploy .*$/m;

export type Reader = {
  /** Runs a claim's commands as a reader would paste them, after the setup. */
  run(claim: string): Promise<Ran>;
  /** The same shell text, for what goes on for ever. */
  script(claim: string): string;
  /** What the setup's `slipway deploy` would have been called with. */
  held(): Promise<readonly string[]>;
  readonly folder: string;
};

/** A reader's shell in a checkout whose platform has this data folder. The command line is the one that was bundled for the tests. */
export function readerOf(dataDir: string, { setup, claims }: RealSection): Reader {
  const folder = mkdtempSync(join(tmpdir(), "slipway-reader-"));
  symlinkSync(dataDir, join(folder, ".slipway"));
  mkdirSync(join(folder, "scripts"));
  writeFileSync(join(folder, "scripts", "bootstrap.mjs"), commandLine(entryPoints.slipway));
  const before = setup.replace(holdLine, "");
  const shell = (text: string) => runCommand("sh", ["-c", `cd ${folder}\n${text}`]);
  const script = (claim: string) => `${before}\n${claims.get(claim) ?? "exit 99"}`;
  return {
    folder,
    script: (claim) => `cd ${folder}\n${script(claim)}`,
    run: (claim) => shell(script(claim)),
    async held() {
      const line = holdLine.exec(setup)?.[0] ?? "";
      const { out } = await shell(`${before}\nslipway() { printf '%s\\n' "$@"; }\n${line}`);
      return out.trim().split("\n");
    },
  };
}

function commandLine(program: string): string {
  return [
    'import { spawnSync } from "node:child_process";',
    "const [, , , ...args] = process.argv;",
    `const ran = spawnSync(process.execPath, [${JSON.stringify(program)}, ...args], { stdio: "inherit" });`,
    "process.exitCode = ran.status ?? 1;",
    "",
  ].join("\n");
}

export function isInstalled(program: string): boolean {
  return (process.env.PATH ?? "").split(delimiter).some((folder) => existsSync(join(folder, program)));
}
