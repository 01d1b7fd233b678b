import { measureKafka } from "../kafka.ts";
import { needed } from "../real-parts.ts";
import type { RealLeg } from "./leg.ts";

/** The benchmark `kafka`, as far as its figures are those of the whole way. */
export const kafkaLeg: RealLeg = {
  name: "kafka",
  parts: ["kafka"],
  async measure(say) {
    const { runs, figures } = await measureKafka(needed("kafka"), say);
    const { kafka_p50_ms = Number.NaN, kafka_p99_ms = Number.NaN, lost = Number.NaN, doubled = Number.NaN } = figures;
    return { runs, figures: { kafka_p50_ms, kafka_p99_ms, lost, doubled } };
  },
};
