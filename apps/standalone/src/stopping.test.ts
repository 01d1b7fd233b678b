import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";

const module = join(import.meta.dirname, "stopping.ts");

/** A process that has stopped everything, and then does what is given. */
function stoppedWith(work: string) {
  const log = "{ error: ({ open }, message) => console.log(JSON.stringify(open), message) }";
  const program = `const { endAllTheSame } = await import(${JSON.stringify(module)}); process.exitCode = 7; endAllTheSame(${log}); ${work}`;
  return spawnSync(process.execPath, ["--input-type=module", "-e", program], { encoding: "utf8", timeout: 30_000 });
}

test("a process that something keeps after its stop ends all the same, with its exit code, and says what kept it", () => {
  const { status, stdout } = stoppedWith("setInterval(() => {}, 1_000);");

  expect(status).toBe(7);
  expect(stdout).toMatch(/"Timeout".* everything has stopped, and something keeps the process/);
});

test("a process that nothing keeps ends by itself, and says nothing", () => {
  const { status, stdout } = stoppedWith("");

  expect(status).toBe(7);
  expect(stdout).toBe("");
});
