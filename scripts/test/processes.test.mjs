import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { expect, test } from "vitest";
import { leash, root } from "../check/processes.mjs";

/** Says so where it outlives the one that started it. */
const long = ["-e", 'console.log("under way"); setTimeout(() => console.log("left behind"), 5_000)'];

const script = (through) => `
  import { runNode } from ${JSON.stringify(join(root, "scripts/check/processes.mjs"))};
  await runNode(${JSON.stringify(long)}, ${JSON.stringify({ timeoutMs: 60_000, show: true, through })});
`;

test.skipIf(leash.length === 0).each([
  ["by itself", []],
  ["through other programs", ["nice", "-n", "5", "sh", "-c", 'exec "$@"', "through"]],
])("what a script runs %s ends with it, also where that is killed", async (_how, through) => {
  const killed = spawn(process.execPath, ["--input-type=module", "-e", script(through)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let said = "";
  killed.stdout.on("data", (chunk) => {
    said += chunk;
  });
  const bothEnded = once(killed, "close");
  await once(killed.stdout, "data");

  killed.kill("SIGKILL");

  await bothEnded;
  expect(said).toBe("under way\n");
});
