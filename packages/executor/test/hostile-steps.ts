import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { probeIsolation, runStep } from "../src/index.ts";

/**
 * Runs steps that behave badly, with the isolation that this process can get, and prints what became of them as one line of JSON. `probe`: says only
 * whether there is an isolation.
 */

// The kernel counts no processes of the machine's own root, however it is called in a namespace: a fork bomb would have no limit.
const map = readFileSync("/proc/self/uid_map", "utf8").trim().split(/\s+/);
const ordinary = process.getuid?.() !== 0 && map[0] === "0" && map[1] === "0";

const mebibyte = 1_048_576;
const steps = {
  hangs: { script: "sleep 600", limits: {} },
  floods: { script: "head -c 104857600 /dev/zero", limits: { outputBytes: mebibyte } },
  fills: {
    script: "i=0; while :; do head -c 1048576 /dev/zero > f$i; i=$((i+1)); sleep 0.01; done",
    limits: { diskBytes: 20 * mebibyte },
  },
  forks: { script: "bomb() { bomb & bomb; }; bomb 2>/dev/null", limits: { processes: 48 } },
  behaves: { script: "sleep 1; id -u; echo fine", limits: {} },
};

const isolation = await probeIsolation({ useCgroups: false });
if (isolation.kind === "refused" || process.argv.includes("probe") || !ordinary) {
  process.stdout.write(JSON.stringify(isolation));
  process.exit(0);
}
const folder = await mkdtemp(join(tmpdir(), "slipway-hostile-"));
const results = await Promise.all(
  Object.entries(steps).map(async ([name, { script, limits }]) => {
    const workspace = await mkdtemp(join(folder, "ws-"));
    let printed = 0;
    const { outcome, reason } = await runStep({
      isolation,
      identity: workspace,
      workspace,
      command: ["/bin/sh", "-eu", "-c", script],
      timeoutMs: name === "behaves" || name === "floods" || name === "fills" ? 60_000 : 3_000,
      limits,
      onOutput: (chunk) => {
        printed += chunk.length;
      },
    });
    return [name, { outcome, reason, printed }];
  }),
);
await rm(folder, { recursive: true, force: true });
process.stdout.write(
  JSON.stringify({
    kind: "ran",
    uid: process.getuid?.(),
    limits: isolation.limits,
    folder,
    steps: Object.fromEntries(results),
  }),
);
