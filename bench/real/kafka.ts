import { kafka } from "../kafka.ts";
import type { RealLeg } from "./leg.ts";

/** The benchmark `kafka`, as far as its figures are those of the whole way. It brings its broker itself. */
export const kafkaLeg: RealLeg = {
  name: "kafka",
  parts: [],
  async measure(say) {
    const { runs, figures } = await kafka.measure(say);
    const { kafka_p50_ms = Number.NaN, kafka_p99_ms = Number.NaN, lost = Number.NaN, doubled = Number.NaN } = figures;
    return { runs, figures: { kafka_p50_ms, kafka_p99_ms, lost, doubled } };
  },
};
