import type { Benchmark } from "./figures.ts";

export const rollback: Benchmark = { name: "rollback", measure: async () => ({ figures: {}, runs: 0 }) };
