/** How many of something a benchmark does: fewer where SLIPWAY_BENCH_RUNS asks for fewer, to see quickly that it works. */
export function timesAsked(times: number): number {
  const asked = Number(process.env.SLIPWAY_BENCH_RUNS ?? times);
  return Number.isInteger(asked) && asked > 0 ? Math.min(asked, times) : times;
}
