import { closeSync, fsyncSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { availableParallelism, cpus, loadavg, release, tmpdir, totalmem } from "node:os";
import { join } from "node:path";
import { median, rounded } from "./figures.ts";

export type MachineLine = {
  readonly cpu: string;
  readonly cores: number;
  readonly memory_gib: number;
  readonly node: string;
  readonly kernel: string;
  /** One 8 KiB write and fsync in the folder that the benchmarks use: what a commit cannot be faster than. */
  readonly fsync_ms: number;
  /** Of the last minute, when the benchmark began: above 0.5 somebody else was working here too. */
  readonly load: number;
};

export function describeMachine(): MachineLine {
  return {
    cpu: cpus()[0]?.model ?? "unknown",
    cores: availableParallelism(),
    memory_gib: rounded(totalmem() / 2 ** 30),
    node: process.versions.node,
    kernel: release(),
    fsync_ms: fsyncMs(),
    load: rounded(loadavg()[0] ?? 0, 2),
  };
}

function fsyncMs(): number {
  const folder = mkdtempSync(join(tmpdir(), "slipway-bench-"));
  const file = openSync(join(folder, "fsync"), "w");
  try {
    const page = Buffer.alloc(8_192, 1);
    const samples = Array.from({ length: 50 }, () => {
      const began = performance.now();
      writeSync(file, page);
      fsyncSync(file);
      return performance.now() - began;
    });
    return rounded(median(samples), 3);
  } finally {
    closeSync(file);
    rmSync(folder, { recursive: true });
  }
}
