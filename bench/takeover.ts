import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createDurable, type Durable } from "../packages/durable/src/index.ts";
import { openDb, silentLogger } from "../packages/sql/src/index.ts";
import { until } from "../packages/testkit/src/index.ts";
import { type BenchDatabase, openDatabase } from "./durable/database.ts";
import { type KilledCommand, type KilledState, killable } from "./durable/killable.ts";
import { type Benchmark, pause, percentile, rounded } from "./figures.ts";

const kills = 50;
const quickCommands = 40;
const lanes = 8;

/**
 * Two worker processes share the work; the one that holds a command is killed with -9 at a chance moment, 50 times. Taken over = the command's effect
 * was carried out by the other one. A command counts as lost when its fact is not in its machine at the end, as doubled when the fact is there twice or
 * its effect was carried out under two keys (under one key the far side refuses the second).
 */
export const takeover: Benchmark = {
  name: "takeover",
  async measure(say) {
    const database = await openDatabase("bench");
    const folder = await mkdtemp(join(tmpdir(), "slipway-bench-"));
    const effects = join(folder, "effects");
    await writeFile(effects, "");
    const db = openDb<Record<string, never>>({ url: database.url, schema: database.schema });
    const never = killable(async () => ({ kind: "done" }));
    // Decides and reads here; performs nothing, since it is never started.
    const durable = createDurable({ db, url: database.url, machines: [never], log: silentLogger });
    const workers = new Set([startWorker(database, effects), startWorker(database, effects)]);
    const tookMs: number[] = [];
    try {
      for (let round = 0; round < kills; round += 1) {
        const worker = await killOne(durable, workers, effects, round, tookMs);
        workers.delete(worker);
        workers.add(startWorker(database, effects));
        if (round % 10 === 9) say(`${round + 1} kills, the slowest takeover ${Math.max(...tookMs).toFixed(0)} ms`);
      }
      return {
        runs: kills,
        figures: {
          takeover_p50_ms: rounded(percentile(tookMs, 0.5)),
          takeover_p99_ms: rounded(percentile(tookMs, 0.99)),
          ...(await count(durable, effects)),
        },
      };
    } finally {
      for (const { child } of workers) child.kill("SIGKILL");
      await db.destroy();
      await database.close();
      await rm(folder, { recursive: true });
    }
  },
};

type WorkerProcess = { readonly child: ChildProcess; said(line: string): boolean };

function startWorker({ url, schema }: BenchDatabase, effects: string): WorkerProcess {
  const file = join(import.meta.dirname, "durable/takeover-worker.ts");
  const child = spawn(process.execPath, ["--conditions=@slipway/source", file, url, schema, effects], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => {
    output += chunk.toString();
  });
  return { child, said: (line) => output.includes(`${line}\n`) };
}

async function killOne(
  durable: Durable,
  workers: ReadonlySet<WorkerProcess>,
  effects: string,
  round: number,
  tookMs: number[],
): Promise<WorkerProcess> {
  await until(() => [...workers].every((own) => own.said("started")), { what: "both workers", timeoutMs: 30_000 });
  const id = `K-${round}`;
  const opened: KilledState = { phase: "open", done: [] };
  await durable.create(undefined, "killable", id, opened, commandsOf(id));
  const held = `${id}-holds`;
  const holding = await until(() => [...workers].find((own) => own.said(`holding ${held}`)), { what: "a holder" });
  // Anywhere between two heartbeats, and anywhere in the work on the other commands.
  await pause(Math.random() * 300);
  const gone = new Promise((resolve) => holding.child.once("exit", resolve));
  const killedAt = Date.now();
  holding.child.kill("SIGKILL");
  await gone;
  const done = async () => (await durable.read<KilledState>("killable", id))?.state.done ?? [];
  await until(async () => (await done()).length > quickCommands, { what: `${id} is done`, timeoutMs: 30_000 });
  const line = (await linesOf(effects)).find(([, tag]) => tag === held);
  tookMs.push(Number(line?.[2]) - killedAt);
  return holding;
}

function commandsOf(id: string): readonly KilledCommand[] {
  const quick = Array.from(
    { length: quickCommands },
    (_, at): KilledCommand => ({ type: "work", tag: `${id}-${at}`, lane: String(at % lanes), holds: false }),
  );
  return [{ type: "work", tag: `${id}-holds`, lane: "held", holds: true }, ...quick];
}

async function count(durable: Durable, effects: string): Promise<{ lost: number; doubled: number }> {
  const rows = await durable.list<KilledState>("killable");
  let lost = 0;
  let doubled = 0;
  for (const { id, state } of rows) {
    const expected = commandsOf(id).map(({ tag }) => tag);
    lost += expected.filter((tag) => !state.done.includes(tag)).length;
    doubled += state.done.length - new Set(state.done).size;
  }
  const keys = new Map<string, string>();
  for (const [key, tag] of await linesOf(effects)) {
    if ((keys.get(tag) ?? key) !== key) doubled += 1;
    keys.set(tag, key);
  }
  return { lost, doubled };
}

async function linesOf(file: string): Promise<[key: string, tag: string, at: string][]> {
  const lines = (await readFile(file, "utf8")).split("\n").filter((line) => line !== "");
  return lines.map((line) => line.split(" ") as [string, string, string]);
}
