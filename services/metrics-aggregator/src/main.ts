import { runHost } from "@slipway/host";
import { metricsAggregator } from "./module.ts";

await runHost({ modules: [metricsAggregator] });
