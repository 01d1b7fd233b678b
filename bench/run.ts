import type { Benchmark } from "./figures.ts";
import { describeMachine } from "./machine.ts";

/**
 * `npm run bench -- NAME...`: runs the named benchmarks, all without a name, one after the other. The last line of each is one JSON object; what
 * happens meanwhile goes to standard error.
 */
const loaders: Readonly<Record<string, () => Promise<Benchmark>>> = {
  start: async () => (await import("./start.ts")).start,
  webhook: async () => (await import("./webhook.ts")).webhook,
  rollback: async () => (await import("./rollback.ts")).rollback,
  transitions: async () => (await import("./transitions.ts")).transitions,
  takeover: async () => (await import("./takeover.ts")).takeover,
  kafka: async () => (await import("./kafka.ts")).kafka,
  real: async () => (await import("./real.ts")).real,
};

for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(130));

const asked = process.argv.slice(2);
const unknown = asked.filter((name) => loaders[name] === undefined);
if (unknown.length > 0) {
  process.stderr.write(`There is no benchmark ${unknown.join(", ")}; one of: ${Object.keys(loaders).join(", ")}\n`);
  process.exit(2);
}

for (const name of asked.length > 0 ? asked : Object.keys(loaders)) {
  const benchmark = await loaders[name]?.();
  if (benchmark === undefined) continue;
  const machine = describeMachine();
  try {
    const { figures, runs } = await benchmark.measure((line) => void process.stderr.write(`${name}: ${line}\n`));
    process.stdout.write(`${JSON.stringify({ name, figures, runs, machine })}\n`);
  } catch (error) {
    // The others are measured all the same: one may need a part that this machine cannot have.
    process.exitCode = 1;
    process.stderr.write(`${name}: not measured: ${error instanceof Error ? error.message : String(error)}\n`);
  }
}
process.exit();
