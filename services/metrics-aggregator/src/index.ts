export { metricsAggregator } from "./module.ts";
