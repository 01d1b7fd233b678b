import { execFile, execFileSync } from "node:child_process";
import { copyFileSync, linkSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { chmod } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const program = fileURLToPath(new URL("hostile-steps.ts", import.meta.url));
/** A uid that nobody has: the kernel counts processes by it. */
const uid = 61_234;
const asUser = ["setpriv", `--reuid=${uid}`, `--regid=${uid}`, "--clear-groups", "--"];
const run = promisify(execFile);

let folder = "";
let node: readonly string[] = [];

beforeAll(async () => {
  // The platform's own may lie below a home that others cannot enter.
  folder = mkdtempSync(join(tmpdir(), "slipway-user-"));
  await chmod(folder, 0o755);
  const copy = join(folder, "node");
  try {
    linkSync(process.execPath, copy);
  } catch {
    copyFileSync(process.execPath, copy);
  }
  node = [copy, "--conditions=@slipway/source", program];
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function outputOf(prefix: readonly string[], ...more: readonly string[]): Promise<unknown> {
  const [file = "", ...args] = [...prefix, ...node, ...more];
  const { stdout } = await run(file, args, { cwd: "/", timeout: 120_000 });
  return JSON.parse(stdout);
}

const readable = works([...asUser, "test", "-r", program]);

// As an ordinary user the whole of isolation.test.ts runs like this.
describe.skipIf(process.getuid?.() !== 0 || !readable)(
  "an ordinary user (started by root, in a checkout it may read)",
  () => {
    test("has hanging, flooding, filling and forking steps ended by their limits, and the one beside them succeeds", async () => {
      const ran = (await outputOf(asUser)) as { readonly folder: string };

      expect(ran).toMatchObject({
        ...{ kind: "ran", uid, limits: "rlimits" },
        steps: {
          hangs: { outcome: "timed_out", reason: "took longer than its timeout of 3s" },
          floods: {
            outcome: "failed",
            reason: "printed more than 1 MiB; the rest of its output is cut off",
            printed: 1_048_576,
          },
          fills: { outcome: "failed", reason: "used more than 20 MiB of disk" },
          forks: { reason: expect.stringMatching(/timeout|exit code/) },
          behaves: { outcome: "succeeded" },
        },
      });
      expect(processesAt(ran.folder)).toEqual([]);
    });
  },
);

const forbidding = ["unshare", "--user", "--map-root-user", "--", "sh", "-eu", "-c"];
const inside = ["unshare", "--user", "--map-user=1000", "--map-group=1000", "--"];
const script = 'echo 1 > /proc/sys/user/max_user_namespaces; exec "$@"';

describe.skipIf(!works([...forbidding, script, "sh", ...inside, "true"]))("a machine without user namespaces", () => {
  test("is refused to an ordinary user, with what to allow", async () => {
    // One is allowed, which makes this process an ordinary user; the step's own would be the second.
    expect(await outputOf([...forbidding, script, "sh", ...inside], "probe")).toMatchObject({
      kind: "refused",
      reason: expect.stringMatching(/bubblewrap: |namespaces: /),
      remedy: expect.stringMatching(/user\.max_user_namespaces.*--no-isolation/),
    });
  });
});

function works([file = "", ...args]: readonly string[]): boolean {
  try {
    execFileSync(file, args, { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

/** Processes that still have something of the folder mounted or named. */
function processesAt(place: string): readonly string[] {
  const read = (path: string) => {
    try {
      return readFileSync(path, "latin1");
    } catch {
      return "";
    }
  };
  return readdirSync("/proc").filter(
    (pid) => /^\d+$/.test(pid) && ["cmdline", "mountinfo"].some((file) => read(`/proc/${pid}/${file}`).includes(place)),
  );
}
