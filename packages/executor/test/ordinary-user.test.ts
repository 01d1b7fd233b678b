import { execFile, execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";

const program = fileURLToPath(new URL("hostile-steps.ts", import.meta.url));
const node = [process.execPath, "--conditions=@slipway/source", program];
/** A process that has a uid like any person's, and no right that goes beyond it. */
const asUser = ["unshare", "--user", "--map-user=1000", "--map-group=1000", "--"];

const possible = works([...asUser, "true"]);
const run = promisify(execFile);

describe.skipIf(!possible)("an ordinary user (where user namespaces are allowed)", () => {
  test("has hanging, flooding, filling and forking steps ended by their limits, and the one beside them succeeds", async () => {
    const [file, ...args] = [...asUser, ...node];
    const { stdout } = await run(file ?? "", args, { timeout: 120_000 });
    const ran = JSON.parse(stdout);

    expect(ran).toMatchObject({ kind: "ran", uid: 1_000, limits: "rlimits" });
    expect(ran.steps).toMatchObject({
      hangs: { outcome: "timed_out", reason: "took longer than its timeout of 3s" },
      floods: { outcome: "failed", reason: "printed more than 1 MiB; the rest of its output is cut off", printed: 1_048_576 },
      fills: { outcome: "failed", reason: expect.stringContaining("20 MiB of disk") },
      forks: { reason: expect.stringMatching(/timeout|exit code/) },
      behaves: { outcome: "succeeded" },
    });
    expect(processesAt(ran.folder)).toEqual([]);
  });

  test("is refused where user namespaces are forbidden, with what to allow", async () => {
    // One namespace is allowed, which makes this process an ordinary user; the step's own would be the second.
    const script = 'echo 1 > /proc/sys/user/max_user_namespaces; exec "$@"';
    const forbidden = ["unshare", "--user", "--map-root-user", "--", "sh", "-eu", "-c", script, "sh"];
    const [file, ...args] = [...forbidden, ...asUser, ...node];
    const { stdout } = await run(file ?? "", args, { timeout: 120_000 });

    expect(JSON.parse(stdout)).toMatchObject({
      kind: "refused",
      reason: expect.stringMatching(/bubblewrap: |namespaces: /),
      remedy: expect.stringMatching(/user\.max_user_namespaces.*--no-isolation/),
    });
  });
});

function works([file, ...args]: readonly string[]): boolean {
  try {
    execFileSync(file ?? "", args, { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

/** Processes that still have something of the folder mounted or named. */
function processesAt(folder: string): readonly string[] {
  const read = (path: string) => {
    try {
      return readFileSync(path, "latin1");
    } catch {
      return "";
    }
  };
  return readdirSync("/proc").filter(
    (pid) => /^\d+$/.test(pid) && ["cmdline", "mountinfo"].some((file) => read(`/proc/${pid}/${file}`).includes(folder)),
  );
}
