import type { Benchmark } from "./figures.ts";

export const webhook: Benchmark = { name: "webhook", measure: async () => ({ figures: {}, runs: 0 }) };
